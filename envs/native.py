"""The CPU engine: threads over MuJoCo's own data, bit-equal to Gymnasium after the cast.

One model is shared, every environment has its own ``MjData``. MuJoCo releases Python's lock
while it simulates, so threads run in parallel; what they read from the simulators lands in
float64 arrays of all environments, on which the task's tensor functions work at once.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import mujoco
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from envs.batched import BatchedEnv, Step
from envs.checks import check_action, check_num_envs, check_state
from envs.seeding import generators, pack, unpack
from envs.simulation import Simulation
from envs.specs import Physics, Task
from envs.starts import Starts

_STATE = int(mujoco.mjtState.mjSTATE_INTEGRATION)  # the warm start of the solver included


def usable_cores() -> int:
    """Number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class NativeEnv(BatchedEnv):
    """N environments of one MuJoCo task on ``threads`` CPU threads.

    Everything inside is float64; observations and rewards are cast to float32 once, and are
    then equal to Gymnasium's bit for bit, for any number of threads. In a :class:`Step`
    without finished episodes ``final_obs`` is the same tensor as ``obs``.

    Args:
        task: what to simulate, one of ``envs.specs.TASKS`` or a variant of it.
        num_envs: N.
        device: where actions come from and results go; the simulation stays on the CPU.
        seed: environment i draws its resets from ``seed + i``.
        threads: at most N; by default the usable cores.

    Raises:
        ValueError: fewer than one environment, a number of threads that is not between 1
            and N, or a negative seed.

    >>> from envs.specs import TASKS
    >>> env = NativeEnv(TASKS["Hopper-v5"], num_envs=2)
    >>> env.reset().shape
    torch.Size([2, 11])
    >>> env.step(torch.zeros(2, 3)).reward.dtype
    torch.float32
    """

    def __init__(
        self,
        task: Task,
        num_envs: int = 64,
        device: torch.device | str = "cpu",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        check_num_envs(num_envs)
        if threads is not None and not 1 <= threads <= num_envs:
            raise ValueError(
                f"threads is {threads} for {num_envs} environments; "
                "give at least 1 and at most one thread per environment."
            )
        self.id = task.id
        self.num_envs = num_envs
        self.device = torch.device(device)
        self.threads = min(threads or usable_cores(), num_envs)
        self.task = task
        self._model = load_model(task)
        self._physics, self._simulations = self._allocate()
        self._position = torch.zeros(num_envs, dtype=torch.float64)
        self._elapsed = torch.zeros(num_envs, dtype=torch.int64)
        width = task.observe(self._physics).shape[-1]
        low, high = self._model.actuator_ctrlrange.astype(np.float32).T
        self.observation_space = spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.action_space = spaces.Box(low, high, dtype=np.float32)
        self._low, self._high = torch.tensor(low), torch.tensor(high)
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        self._starts: Starts | None = None
        self._seed(seed)

    def start_from(self, observations: Tensor, probability: float, seed: int = 0) -> None:
        """Start episodes in recorded states; see :meth:`BatchedEnv.start_from`."""
        self._starts = Starts(self.task, observations, probability, seed) if probability else None

    def _allocate(self) -> tuple[Physics, list[Simulation]]:
        """Shared arrays of all environments, and the environments that write into them."""
        probe = mujoco.MjData(self._model)
        arrays = {
            name: np.zeros((self.num_envs, *getattr(probe, name).shape)) for name in self.task.reads
        }
        simulations = [
            Simulation(self._model, self.task, [array[i] for array in arrays.values()])
            for i in range(self.num_envs)
        ]
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        tensors["body_mass"] = torch.from_numpy(self._model.body_mass.copy())
        empty = torch.empty(0, dtype=torch.float64)
        return Physics(*(tensors.get(name, empty) for name in Physics._fields)), simulations

    def _seed(self, seed: int) -> None:
        self._set_randoms(generators(seed, self.num_envs))

    def _set_randoms(self, randoms: list[np.random.Generator]) -> None:
        for simulation, random in zip(self._simulations, randoms, strict=True):
            simulation.random = random

    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew; see :meth:`BatchedEnv.reset`."""
        if seed is not None:
            self._seed(seed)
        self._reset(range(self.num_envs))
        return self._export(self.task.observe(self._physics))

    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step; see :meth:`BatchedEnv.step`."""
        action = self._clip(action)
        # MuJoCo ignores all controls beside one that is not a number, and logs it to a file.
        known = action.isfinite().all(-1, keepdim=True)
        self._simulate(torch.where(known, action, 0.0).double().numpy())
        physics, task = self._physics, self.task
        position = task.position(physics)
        healthy = task.healthy(physics)
        reward = task.reward(physics, action, (position - self._position) / task.dt, healthy)
        self._position = position.clone()
        self._elapsed += 1
        terminated = ~healthy
        truncated = self._elapsed >= task.time_limit
        obs = final_obs = self._export(task.observe(physics))
        ended = (terminated | truncated).nonzero().flatten().tolist()
        if ended:
            self._reset(ended)
            obs = self._export(task.observe(physics))
        return Step(
            obs,
            self._export(reward),
            terminated.to(self.device),
            truncated.to(self.device),
            final_obs,
        )

    def _clip(self, action: Tensor) -> Tensor:
        action = check_action(self, action).cpu()
        return torch.minimum(torch.maximum(action, self._low), self._high)

    def _simulate(self, action: NDArray[np.float64]) -> None:
        """Step all simulations; threads take the next one from a queue until it is empty."""
        waiting = deque(zip(self._simulations, action, strict=True))

        def work() -> None:
            while True:
                try:
                    simulation, row = waiting.popleft()  # atomic
                except IndexError:
                    return
                simulation.step(row)

        helpers = [self._pool.submit(work) for _ in range(self.threads - 1)] if self._pool else []
        try:
            work()
        finally:  # also where the user interrupts: nobody writes once this has returned
            for helper in helpers:
                helper.result()

    def _reset(self, indices: Iterable[int]) -> None:
        rows = list(indices)
        for i in rows:
            recorded = self._starts.draw() if self._starts else None
            if recorded is None:
                self._simulations[i].reset()
            else:
                self._simulations[i].start_at(recorded)
        self._elapsed[rows] = 0
        self._position[rows] = self.task.position(self._physics)[rows]

    def _export(self, x: Tensor) -> Tensor:
        return x.float().to(self.device)

    def get_state(self) -> dict[str, Tensor]:
        """Everything needed to continue bit for bit, as CPU tensors.

        Beside MuJoCo's integration state this holds what the task read after the last step
        (``mj_setState`` does not bring back derived arrays, which lag behind qpos) and the
        forward position that the next reward starts from.
        """
        states = np.empty((self.num_envs, mujoco.mj_stateSize(self._model, _STATE)))
        for row, simulation in zip(states, self._simulations, strict=True):
            mujoco.mj_getState(self._model, simulation.data, row, _STATE)
        read = {name: getattr(self._physics, name).clone() for name in self.task.reads}
        starts = {"starts": pack([self._starts.random])} if self._starts else {}
        return (
            read
            | starts
            | {
                "integration": torch.from_numpy(states),
                "position": self._position.clone(),
                "elapsed": self._elapsed.clone(),
                "random": pack([simulation.random for simulation in self._simulations]),
            }
        )

    def set_state(self, state: dict[str, Tensor]) -> Tensor:
        """Continue from what :meth:`get_state` returned; gives the current observations (N, O).

        Raises:
            ValueError: the state is of another task, another number of environments or
                another version of MuJoCo; nothing has changed then.
        """
        check_state(self, state)
        states = state["integration"].numpy()
        for row, simulation in zip(states, self._simulations, strict=True):
            mujoco.mj_setState(self._model, simulation.data, row, _STATE)
        self._set_randoms(unpack(state["random"]))
        if self._starts:
            (self._starts.random,) = unpack(state["starts"])
        for name in self.task.reads:
            getattr(self._physics, name).copy_(state[name])
        self._position = state["position"].clone()
        self._elapsed = state["elapsed"].clone()
        return self._export(self.task.observe(self._physics))

    def close(self) -> None:
        """End the threads; the engine is unusable afterwards."""
        if self._pool:
            self._pool.shutdown()


def load_model(task: Task) -> Any:
    """The task's ``MjModel``, from the model file that Gymnasium ships."""
    return mujoco.MjModel.from_xml_path(
        str(files("gymnasium.envs.mujoco").joinpath("assets", task.xml))
    )
