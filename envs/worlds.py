"""N worlds of one model in MuJoCo Warp, as torch tensors that share its memory.

What happens between two actions is captured once as a graph and then launched as one: launched
one by one, its thousands of small kernels cost far more than what they compute. On a GPU it is a
CUDA graph; Warp records and replays on a processor, too.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import mujoco
import mujoco_warp
import numpy as np
import torch
import warp
from torch import Tensor

from envs.contact_frames import as_mujoco_has_them
from envs.specs import Physics, Task

CONTACTS = 32  # of a world on average: one that is short takes what others leave
CONSTRAINTS = 128  # of every world
# Of what the simulation ran out of; a solver at its last iteration is none.
SHORTAGES = int(
    mujoco_warp.OverflowType.ALL
    & ~mujoco_warp.OverflowType.ITERATIONS
    & ~mujoco_warp.OverflowType.LS_ITERATIONS
)


class Worlds:
    """The physics of N environments.

    Args:
        model: the task's ``MjModel``; it is changed, to a solver that Warp has.
        task: how many physics steps an environment step takes.
        num_worlds: N.
        device: of all arrays.

    Attributes:
        physics: what a task reads, (N, ...). These are Warp's arrays: they change in place.
        shortages: bits of what a world ran out of since they were last set to 0, (N,).
    """

    def __init__(self, model: Any, task: Task, num_worlds: int, device: torch.device) -> None:
        warp.init()
        use_newton(model)
        self.device = device
        self._frame_skip = task.frame_skip
        self._warp_device = warp.device_from_torch(device)
        with warp.ScopedDevice(self._warp_device):
            self._model = mujoco_warp.put_model(model)
            self._model.opt.warn_overflow = 0  # they are counted here, not printed by the device
            self._data = mujoco_warp.make_data(
                model, num_worlds, nconmax=CONTACTS, njmax=CONSTRAINTS
            )
        views = {
            name: warp.to_torch(getattr(self._data, name))
            for name in Physics._fields
            if name != "body_mass"
        }
        views["body_mass"] = torch.tensor(model.body_mass, dtype=torch.float32, device=device)
        self.physics = Physics(**views)
        self.ctrl = warp.to_torch(self._data.ctrl)  # (N, A)
        self.shortages = warp.to_torch(self._data.overflow)  # (N,)
        self.constraints = warp.to_torch(self._data.nefc)  # (N,)
        self._warm_start = warp.to_torch(self._data.qacc_warmstart)  # (N, nv)
        self._touch_the_floor()
        with as_mujoco_has_them():
            self._advance = self._capture(self._environment_step)
            self._derive = self._capture(self._positions_and_velocities)
        self.shortages.zero_()

    def advance(self, ctrl: Tensor) -> None:
        """One environment step of controls (N, A); nothing is recomputed after it."""
        self.ctrl.copy_(ctrl)
        self._launch(self._advance)

    def place(self, where: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """Put worlds into states at rest from any force.

        What derives from positions and velocities alone is brought up to date, in all worlds;
        for those that stay where they are this changes nothing that the next step reads.

        Args:
            where: the worlds, (N,).
            qpos: positions (N, nq); rows of other worlds are ignored.
            qvel: velocities (N, nv).
        """
        physics, rows = self.physics, where[:, None]
        physics.qpos.copy_(torch.where(rows, qpos, physics.qpos))
        physics.qvel.copy_(torch.where(rows, qvel, physics.qvel))
        self._warm_start.masked_fill_(rows, 0.0)
        physics.qfrc_actuator.masked_fill_(rows, 0.0)
        physics.cfrc_ext.masked_fill_(rows[..., None], 0.0)
        self._launch(self._derive)

    def copy_world(self, world: int, data: Any) -> None:
        """Copy one world's state and controls into MuJoCo's data of the same model."""
        for name, tensor in (
            ("qpos", self.physics.qpos),
            ("qvel", self.physics.qvel),
            ("ctrl", self.ctrl),
            ("qacc_warmstart", self._warm_start),
        ):
            getattr(data, name)[:] = tensor[world].cpu().numpy()
        mujoco.mj_forward(data.model, data)

    def _environment_step(self) -> None:
        for _ in range(self._frame_skip):
            mujoco_warp.step(self._model, self._data)
        mujoco_warp.rne_postconstraint(self._model, self._data)

    def _positions_and_velocities(self) -> None:
        mujoco_warp.kinematics(self._model, self._data)
        mujoco_warp.com_pos(self._model, self._data)
        mujoco_warp.com_vel(self._model, self._data)

    def _touch_the_floor(self) -> None:
        """Lower all bodies, so that the solver has to solve when its kernels are first called."""
        free = self.physics.qpos.shape[1] > self.physics.qvel.shape[1]
        self.physics.qpos[:, 2 if free else 1] -= 0.5

    def _capture(self, work: Callable[[], None]) -> Any:
        """A graph of what ``work`` launches."""
        with warp.ScopedDevice(self._warp_device):
            work()  # compiles and loads, which no graph can hold
            collecting = gc.isenabled()
            gc.disable()  # freeing memory would become part of the graph
            try:
                with warp.ScopedCapture() as capture:
                    work()
            finally:
                if collecting:
                    gc.enable()
        return capture.graph

    def _launch(self, graph: Any) -> None:
        stream = None
        if self.device.type == "cuda":
            current = torch.cuda.current_stream(self.device)
            # Warp's stream and torch's default one wait for each other by themselves.
            stream = warp.stream_from_torch(current) if current.cuda_stream else None
        warp.capture_launch(graph, stream=stream)


def use_newton(model: Any) -> None:
    """Warp has no projected Gauss-Seidel; both solvers find the same minimum."""
    if model.opt.solver == mujoco.mjtSolver.mjSOL_PGS:
        model.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON


def bytes_per_world(model: Any) -> int:
    """Memory that one more world takes."""
    with warp.ScopedDevice("cpu"):
        one, two = (
            _bytes(mujoco_warp.make_data(model, n, nconmax=CONTACTS, njmax=CONSTRAINTS))
            for n in (1, 2)
        )
    return two - one


def _bytes(data: Any) -> int:
    parts = [vars(each) for each in (data, data.contact, data.efc)]
    arrays = [x for part in parts for x in part.values() if isinstance(x, warp.array)]
    return int(sum(np.prod(x.shape) * warp.types.type_size_in_bytes(x.dtype) for x in arrays))
