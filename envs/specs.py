"""Gymnasium's MuJoCo tasks, each described once as pure functions of batched tensors.

An engine simulates; a :class:`Task` says what the simulation means. The functions take a
:class:`Physics` (the arrays of ``mjData`` they read, with a leading environment axis N) on
any device and in any float type, never wait for the device, and follow the sources
``gymnasium/envs/mujoco/*_v5.py`` to the last rounding: control costs are summed in the
action's own precision and all sums run in numpy's order (:func:`numpy_sum`), so an engine
that keeps float64 gives Gymnasium's very numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor


class Physics(NamedTuple):
    """The simulation of N environments as a task sees it; names and units are MuJoCo's.

    Fields that a task does not list in ``Task.reads`` may be empty tensors.
    """

    qpos: Tensor  # (N, nq) positions of the joints, m or rad
    qvel: Tensor  # (N, nv) their velocities
    xpos: Tensor  # (N, bodies, 3) frames of the bodies, m
    xipos: Tensor  # (N, bodies, 3) centres of mass of the bodies, m
    cinert: Tensor  # (N, bodies, 10) mass and inertia about the centre of mass
    cvel: Tensor  # (N, bodies, 6) velocities about the centre of mass
    qfrc_actuator: Tensor  # (N, nv) forces of the actuators, N or N m
    cfrc_ext: Tensor  # (N, bodies, 6) external forces on the bodies
    body_mass: Tensor  # (bodies,) kg, a constant of the model


@dataclass(frozen=True)
class Task:
    """One task: its model file, its timing, its start and what is read from its physics.

    Attributes:
        id: Gymnasium id.
        xml: model file among Gymnasium's assets.
        timestep: seconds of one physics step; an environment step takes ``frame_skip`` of them.
        frame_skip: physics steps per environment step.
        reads: the fields of :class:`Physics` used, in a fixed order.
        reset_noise: scale of the noise added to the model's initial state. Positions get
            uniform noise in ±scale.
        normal_velocities: whether velocities start normal with deviation scale, or uniform.
        position: the forward coordinate (N,) that the reward differentiates, m.
        observe: the observation (N, O).
        layout: what the observation is made of, in its order: the last so many numbers of the
            field of that name, made flat. What is left out in front says where on the plane the
            body is, or belongs to the world.
        healthy: whether the episode goes on (N,).
        reward: the reward (N,) given physics after the step, the action (N, A) clipped to its
            box, the forward velocity (N,) in m/s and what ``healthy`` said.
        time_limit: environment steps after which an episode is truncated.
    """

    id: str
    xml: str
    timestep: float
    frame_skip: int
    reads: tuple[str, ...]
    reset_noise: float
    normal_velocities: bool
    position: Callable[[Physics], Tensor]
    observe: Callable[[Physics], Tensor]
    layout: tuple[tuple[str, int], ...]
    healthy: Callable[[Physics], Tensor]
    reward: Callable[[Physics, Tensor, Tensor, Tensor], Tensor]
    time_limit: int = 1000

    @property
    def dt(self) -> float:
        """Seconds per environment step."""
        return self.timestep * self.frame_skip

    def parts(self) -> dict[str, slice]:
        """Where each part of ``layout`` lies in an observation.

        >>> TASKS["Ant-v5"].parts()["qvel"]
        slice(13, 27, None)
        """
        ends = accumulate(width for _, width in self.layout)
        return {
            name: slice(end - width, end)
            for (name, width), end in zip(self.layout, ends, strict=True)
        }


def numpy_sum(x: Tensor) -> Tensor:
    """Sum the last axis in the order ``numpy.sum`` adds up to 128 contiguous numbers.

    Below eight numbers one after the other; otherwise eight running sums, joined in pairs,
    then what is left over. The result does not depend on N, on threads or on vector width.

    >>> numpy_sum(torch.arange(10.0))
    tensor(45.)
    """
    chunks = list(torch.split(x, 8, -1))
    rest = chunks.pop().unbind(-1) if x.shape[-1] % 8 else ()
    total = torch.zeros_like(x[..., 0])
    if chunks:
        lanes = sum(chunks[1:], start=chunks[0])
        while lanes.shape[-1] > 1:
            lanes = lanes[..., 0::2] + lanes[..., 1::2]
        total = lanes.squeeze(-1)
    return sum(rest, start=total)


def between(x: Tensor, low: float, high: float) -> Tensor:
    """Whether ``low < x < high``; false where x is not a number."""
    return (x > low) & (x < high)


# --- Ant ---------------------------------------------------------------------------------


def _ant_forces(physics: Physics) -> Tensor:
    return physics.cfrc_ext.clamp(-1.0, 1.0)


def _ant_healthy(physics: Physics) -> Tensor:
    height = physics.qpos[:, 2]
    finite = torch.cat([physics.qpos, physics.qvel], -1).isfinite().all(-1)
    return finite & (height >= 0.2) & (height <= 1.0)


def _ant_observe(physics: Physics) -> Tensor:
    forces = _ant_forces(physics)[:, 1:].flatten(1)
    return torch.cat([physics.qpos[:, 2:], physics.qvel, forces], -1)


def _ant_reward(physics: Physics, action: Tensor, velocity: Tensor, healthy: Tensor) -> Tensor:
    control = 0.5 * numpy_sum(action.square())
    contact = 5e-4 * numpy_sum(_ant_forces(physics).square().flatten(1))
    return (velocity + 1.0 * healthy) - (control + contact)


# --- Humanoid ----------------------------------------------------------------------------


def _mass_centre_x(physics: Physics) -> Tensor:
    return numpy_sum(physics.xipos[..., 0] * physics.body_mass) / physics.body_mass.sum()


def _humanoid_healthy(physics: Physics) -> Tensor:
    return between(physics.qpos[:, 2], 1.0, 2.0)


def _humanoid_observe(physics: Physics) -> Tensor:
    parts = [
        physics.qpos[:, 2:],
        physics.qvel,
        physics.cinert[:, 1:].flatten(1),
        physics.cvel[:, 1:].flatten(1),
        physics.qfrc_actuator[:, 6:],
        physics.cfrc_ext[:, 1:].flatten(1),
    ]
    return torch.cat(parts, -1)


def _humanoid_reward(physics: Physics, action: Tensor, velocity: Tensor, healthy: Tensor) -> Tensor:
    # The one task whose control cost Gymnasium takes from the simulator, in its precision.
    control = 0.1 * numpy_sum(action.to(physics.qpos.dtype).square())
    contact = (5e-7 * numpy_sum(physics.cfrc_ext.square().flatten(1))).clamp(max=10.0)
    return (1.25 * velocity + 5.0 * healthy) - (control + contact)


# --- the planar three ----------------------------------------------------------------------


def _x(physics: Physics) -> Tensor:
    return physics.qpos[:, 0]


def _planar_observe(physics: Physics) -> Tensor:
    return torch.cat([physics.qpos[:, 1:], physics.qvel], -1)


def _clipped_planar_observe(physics: Physics) -> Tensor:
    return torch.cat([physics.qpos[:, 1:], physics.qvel.clamp(-10.0, 10.0)], -1)


def _always_healthy(physics: Physics) -> Tensor:
    return torch.ones_like(physics.qpos[:, 0], dtype=torch.bool)


def _cheetah_reward(physics: Physics, action: Tensor, velocity: Tensor, healthy: Tensor) -> Tensor:
    return velocity - 0.1 * numpy_sum(action.square())


def _hopper_healthy(physics: Physics) -> Tensor:
    rest = torch.cat([physics.qpos[:, 2:], physics.qvel], -1)
    height, angle = physics.qpos[:, 1], physics.qpos[:, 2]
    sane = between(rest, -100.0, 100.0).all(-1)
    return sane & between(height, 0.7, float("inf")) & between(angle, -0.2, 0.2)


def _walker_healthy(physics: Physics) -> Tensor:
    return between(physics.qpos[:, 1], 0.8, 2.0) & between(physics.qpos[:, 2], -1.0, 1.0)


def _upright_reward(physics: Physics, action: Tensor, velocity: Tensor, healthy: Tensor) -> Tensor:
    return (velocity + 1.0 * healthy) - 1e-3 * numpy_sum(action.square())


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.id: task
        for task in (
            Task(
                id="Ant-v5",
                xml="ant.xml",
                timestep=0.01,
                frame_skip=5,
                reads=("qpos", "qvel", "xpos", "cfrc_ext"),
                reset_noise=0.1,
                normal_velocities=True,
                position=lambda physics: physics.xpos[:, 1, 0],
                observe=_ant_observe,
                layout=(("qpos", 13), ("qvel", 14), ("cfrc_ext", 78)),
                healthy=_ant_healthy,
                reward=_ant_reward,
            ),
            Task(
                id="Humanoid-v5",
                xml="humanoid.xml",
                timestep=0.003,
                frame_skip=5,
                reads=("qpos", "qvel", "xipos", "cinert", "cvel", "qfrc_actuator", "cfrc_ext"),
                reset_noise=1e-2,
                normal_velocities=False,
                position=_mass_centre_x,
                observe=_humanoid_observe,
                layout=(
                    ("qpos", 22),
                    ("qvel", 23),
                    ("cinert", 130),
                    ("cvel", 78),
                    ("qfrc_actuator", 17),
                    ("cfrc_ext", 78),
                ),
                healthy=_humanoid_healthy,
                reward=_humanoid_reward,
            ),
            Task(
                id="HalfCheetah-v5",
                xml="half_cheetah.xml",
                timestep=0.01,
                frame_skip=5,
                reads=("qpos", "qvel"),
                reset_noise=0.1,
                normal_velocities=True,
                position=_x,
                observe=_planar_observe,
                layout=(("qpos", 8), ("qvel", 9)),
                healthy=_always_healthy,
                reward=_cheetah_reward,
            ),
            Task(
                id="Hopper-v5",
                xml="hopper.xml",
                timestep=0.002,
                frame_skip=4,
                reads=("qpos", "qvel"),
                reset_noise=5e-3,
                normal_velocities=False,
                position=_x,
                observe=_clipped_planar_observe,
                layout=(("qpos", 5), ("qvel", 6)),
                healthy=_hopper_healthy,
                reward=_upright_reward,
            ),
            Task(
                id="Walker2d-v5",
                xml="walker2d_v5.xml",
                timestep=0.002,
                frame_skip=4,
                reads=("qpos", "qvel"),
                reset_noise=5e-3,
                normal_velocities=False,
                position=_x,
                observe=_clipped_planar_observe,
                layout=(("qpos", 8), ("qvel", 9)),
                healthy=_walker_healthy,
                reward=_upright_reward,
            ),
        )
    }
)
