"""One environment of the native engine: a task's physics in MuJoCo's own data."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.specs import Task
from envs.starts import Parts


class Simulation:
    """One environment: its ``MjData``, its random stream and its rows of the shared arrays.

    Args:
        model: the task's ``MjModel``, shared by all environments.
        task: what to simulate.
        arrays: this environment's rows of the fields in ``task.reads``.
    """

    def __init__(self, model: Any, task: Task, arrays: list[NDArray[Any]]) -> None:
        self.model = model
        self.task = task
        self.data = mujoco.MjData(model)
        self.random: np.random.Generator
        self.needs_forces = "cfrc_ext" in task.reads
        # Views into MuJoCo's memory, taken once: looking them up costs as much as copying.
        self.ctrl = self.data.ctrl
        self.rows = dict(zip(task.reads, arrays, strict=True))
        self.copies = [(row, getattr(self.data, name)) for name, row in self.rows.items()]

    def step(self, action: NDArray[np.float64]) -> None:
        """Advance one environment step; nothing is recomputed afterwards, as in Gymnasium."""
        self.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, nstep=self.task.frame_skip)
        if self.needs_forces:
            mujoco.mj_rnePostConstraint(self.model, self.data)
        self.publish()

    def reset(self) -> None:
        """Start an episode with the noise Gymnasium would draw from the same generator."""
        mujoco.mj_resetData(self.model, self.data)
        scale = self.task.reset_noise
        self.data.qpos[:] += self.random.uniform(-scale, scale, self.model.nq)
        if self.task.normal_velocities:
            self.data.qvel[:] += scale * self.random.standard_normal(self.model.nv)
        else:
            self.data.qvel[:] += self.random.uniform(-scale, scale, self.model.nv)
        mujoco.mj_forward(self.model, self.data)
        self.publish()

    def start_at(self, parts: Parts) -> None:
        """Start an episode in a recorded state.

        Forces and velocities of bodies are then what was recorded: those that MuJoCo derives from
        positions and velocities alone know neither the action before nor how far they lag behind.
        """
        mujoco.mj_resetData(self.model, self.data)
        for name in ("qpos", "qvel"):
            getattr(self.data, name)[-len(parts[name]) :] = parts[name]
        mujoco.mj_forward(self.model, self.data)
        self.publish()
        for name, part in parts.items():
            self.rows[name].reshape(-1)[-len(part) :] = part

    def publish(self) -> None:
        """Copy what the task reads into the shared arrays."""
        for row, view in self.copies:
            row[...] = view
