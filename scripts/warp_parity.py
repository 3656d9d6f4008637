"""One environment step of the warp engine beside MuJoCo's, from the same states.

    python scripts/warp_parity.py --env Humanoid-v5 --states 512

States come from episodes of random actions, and only those with a contact. Both engines start at
rest from any force, so that nothing but the state and the action decides. Humanoid is simulated
once more with MuJoCo's Newton solver: the model asks for projected Gauss-Seidel, which Warp does
not have and which has not always converged after its 50 iterations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import mujoco
import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from envs.native import load_model
from envs.specs import TASKS, Task
from envs.warp import WarpEnv

LIMITS = {"qpos": 1e-5, "qvel": 1e-3, "cfrc_ext": 1e-1}  # of the largest difference in a world
Array = NDArray[np.float64]


class States(NamedTuple):
    """Where steps start; all numbers are float32's, so that both engines get the same ones."""

    qpos: Array  # (N, nq)
    qvel: Array  # (N, nv)
    ctrl: Array  # (N, A)


@dataclass(frozen=True)
class WarpParity:
    """Compare one environment step with MuJoCo's."""

    env: str = "Ant-v5"
    """Task."""
    states: int = 512
    """States to start from."""
    seed: int = 0
    """Of the states."""
    device: str = "cpu"
    """Of the warp engine."""

    def run(self) -> None:
        """Measure and print."""
        for name, value in measure(self.env, self.states, self.seed, self.device).items():
            print(f"{name:32} {value:.3g}")


def measure(id: str, count: int, seed: int, device: str) -> dict[str, float]:
    """Largest differences, and shares of states within the limits."""
    task = TASKS[id]
    states = contact_states(task, count, seed)
    env = WarpEnv(task, count, device)
    found: dict[str, float] = {}
    for solver in ("own", "newton"):
        apart = differences(env, states, reference(task, states, newton=solver == "newton"))
        found |= {f"{solver} {name} largest": float(x.max()) for name, x in apart.items()}
        found[f"{solver} share within"] = float(within(apart).mean())
    env.close()
    return found


def within(apart: dict[str, Array]) -> NDArray[np.bool_]:
    """In which states (N,) every difference stays below its limit."""
    good = [apart[name] < limit for name, limit in LIMITS.items()]
    return np.logical_and.reduce([*good, apart["nefc"] == 0])


def contact_states(task: Task, count: int, seed: int) -> States:
    """States with contacts, from episodes of random actions."""
    model, random = load_model(task), np.random.default_rng(seed)
    data, (low, high) = mujoco.MjData(model), model.actuator_ctrlrange.T
    rows: list[tuple[Array, Array, Array]] = []
    step = 0
    while len(rows) < count:
        if step % 60 == 0:
            mujoco.mj_resetData(model, data)
            data.qpos[:] += random.uniform(-0.1, 0.1, model.nq)
            data.qvel[:] += 0.1 * random.standard_normal(model.nv)
        data.ctrl[:] = random.uniform(low, high)
        mujoco.mj_step(model, data, nstep=task.frame_skip)
        step += 1
        if data.ncon and random.random() < 0.3:
            rows.append((data.qpos.copy(), data.qvel.copy(), random.uniform(low, high)))
    columns = (np.stack(column) for column in zip(*rows, strict=True))
    return States(*(column.astype(np.float32).astype(np.float64) for column in columns))


def reference(task: Task, states: States, newton: bool = False) -> dict[str, Array]:
    """What MuJoCo has after the step: the fields of ``LIMITS`` and the number of constraints."""
    model = load_model(task)
    if newton:
        model.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON
    data = mujoco.MjData(model)
    rows: dict[str, list[Any]] = {name: [] for name in (*LIMITS, "nefc")}
    for qpos, qvel, ctrl in zip(*states, strict=True):
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
        mujoco.mj_step(model, data, nstep=task.frame_skip)
        mujoco.mj_rnePostConstraint(model, data)
        for name, row in rows.items():
            row.append(np.array(getattr(data, name), dtype=np.float64))
    return {name: np.stack(row) for name, row in rows.items()}


def differences(env: WarpEnv, states: States, expected: dict[str, Array]) -> dict[str, Array]:
    """The largest difference in each world (N,), by field, after the engine's step."""
    count = len(states.qpos)
    everywhere = torch.ones(count, dtype=torch.bool, device=env.device)
    qpos, qvel, ctrl = (torch.tensor(x, dtype=torch.float32, device=env.device) for x in states)
    env.worlds.place(everywhere, qpos, qvel)
    env.worlds.advance(ctrl)
    found = {name: getattr(env.worlds.physics, name) for name in LIMITS}
    found["nefc"] = env.worlds.constraints
    return {
        name: np.abs(x.double().cpu().numpy() - expected[name]).reshape(count, -1).max(1)
        for name, x in found.items()
    }


if __name__ == "__main__":
    tyro.cli(WarpParity).run()
