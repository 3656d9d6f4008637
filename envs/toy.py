"""A task that is learned in seconds, for tests, documentation and first steps.

Drive a point on a plane to the origin: observation (x, y, vx, vy) in m and m/s, action
(ax, ay) in m/s². The start is random, the episode is truncated after 32 steps of 0.1 s and
terminates where the point leaves the arena. ``expert_action`` plays it nearly perfectly.

The same functions make :class:`PointMass`, an engine on any device, and the Gymnasium
environment ``toy/PointMass-v0``, which is registered when :mod:`envs` is imported. They use
no operation whose rounding depends on the number of rows, so both agree bit for bit.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from envs.batched import BatchedEnv, Step
from envs.checks import check_action, check_num_envs, check_state
from envs.seeding import generators, pack, unpack

ID = "toy/PointMass-v0"
TIME_LIMIT = 32  # environment steps
_DT = 0.1  # s
_ACCELERATION = 2.0  # m/s², the action box is ± this
_SPEED = 2.0  # m/s, velocities are clamped to ± this
_ARENA = 1.0  # m, the episode ends outside ± this
_START = np.array([0.7, 0.7, 0.2, 0.2])  # uniform start within ± this


def observation_space() -> spaces.Box:
    """The box of one observation; positions can be one step outside the arena."""
    high = np.array([1.25, 1.25, _SPEED, _SPEED], np.float32)
    return spaces.Box(-high, high, dtype=np.float32)


def action_space() -> spaces.Box:
    """The box of one action, m/s²; not ±1, so that mistaken units show."""
    return spaces.Box(-_ACCELERATION, _ACCELERATION, (2,), np.float32)


def start(random: Generator) -> NDArray[np.float32]:
    """A random initial observation (4,)."""
    return random.uniform(-_START, _START).astype(np.float32)


def advance(obs: Tensor, action: Tensor) -> Tensor:
    """The observation (N, 4) one step after ``obs`` (N, 4) under ``action`` (N, 2)."""
    force = action.clamp(-_ACCELERATION, _ACCELERATION)
    velocity = (obs[:, 2:] + _DT * force).clamp(-_SPEED, _SPEED)
    return torch.cat([obs[:, :2] + _DT * velocity, velocity], -1)


def reward(obs: Tensor) -> Tensor:
    """1 / (1 + 8 distance²) of the observation reached, in (0, 1], (N,)."""
    x, y = obs[:, 0], obs[:, 1]
    return 1.0 / (1.0 + 8.0 * (x * x + y * y))


def outside(obs: Tensor) -> Tensor:
    """Whether the point is outside the arena, (N,); also where it is not a number."""
    return ~((obs[:, 0].abs() <= _ARENA) & (obs[:, 1].abs() <= _ARENA))


def expert_action(obs: Tensor) -> Tensor:
    """A damped spring to the origin, clipped to the action box, (N, 2).

    Its return is about 28.9 of at most 32; uniformly random actions get 7.4.

    >>> expert_action(torch.tensor([[0.1, -0.5, 0.0, 0.0]]))
    tensor([[-0.9000,  2.0000]])
    """
    return (-9.0 * obs[:, :2] - 4.5 * obs[:, 2:]).clamp(-_ACCELERATION, _ACCELERATION)


class PointMass(BatchedEnv):
    """N point masses as one tensor; see the module for the task.

    Args:
        num_envs: N.
        device: where everything lives and happens.
        seed: environment i draws its starts from ``seed + i``.
        time_limit: steps after which an episode is truncated.

    Raises:
        ValueError: fewer than one environment or a negative seed.

    >>> env = PointMass(num_envs=3)
    >>> obs = env.reset()
    >>> for _ in range(16):
    ...     obs = env.step(expert_action(obs)).obs
    >>> bool((obs.abs() < 0.1).all())
    True
    """

    def __init__(
        self,
        num_envs: int = 64,
        device: torch.device | str = "cpu",
        seed: int = 0,
        time_limit: int = TIME_LIMIT,
    ) -> None:
        check_num_envs(num_envs)
        self.id = ID
        self.num_envs = num_envs
        self.device = torch.device(device)
        self.observation_space = observation_space()
        self.action_space = action_space()
        self.time_limit = time_limit
        self._randoms = generators(seed, num_envs)
        self._obs = torch.zeros(num_envs, 4, device=self.device)
        self._elapsed = torch.zeros(num_envs, dtype=torch.int64, device=self.device)

    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew; see :meth:`BatchedEnv.reset`."""
        if seed is not None:
            self._randoms = generators(seed, self.num_envs)
        self._restart(list(range(self.num_envs)))
        return self._obs.clone()

    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step; see :meth:`BatchedEnv.step`."""
        final_obs = advance(self._obs, check_action(self, action).to(self.device))
        self._obs = final_obs.clone()
        self._elapsed += 1
        terminated = outside(final_obs)
        truncated = self._elapsed >= self.time_limit
        ended = (terminated | truncated).nonzero().flatten().tolist()
        if ended:
            self._restart(ended)
        return Step(self._obs.clone(), reward(final_obs), terminated, truncated, final_obs)

    def _restart(self, rows: list[int]) -> None:
        starts = torch.from_numpy(np.stack([start(self._randoms[i]) for i in rows]))
        self._obs[rows] = starts.to(self.device)
        self._elapsed[rows] = 0

    def get_state(self) -> dict[str, Tensor]:
        """Positions, velocities, elapsed steps and random streams, as CPU tensors."""
        return {
            "obs": self._obs.cpu().clone(),
            "elapsed": self._elapsed.cpu().clone(),
            "random": pack(self._randoms),
        }

    def set_state(self, state: dict[str, Tensor]) -> Tensor:
        """Continue from what :meth:`get_state` returned; gives the current observations (N, 4).

        Raises:
            ValueError: the state is of another task or number of environments.
        """
        check_state(self, state)
        self._obs = state["obs"].to(self.device, copy=True)
        self._elapsed = state["elapsed"].to(self.device, copy=True)
        self._randoms = unpack(state["random"])
        return self._obs.clone()


class PointMassGymnasium(gym.Env[NDArray[Any], NDArray[Any]]):
    """One point mass as a Gymnasium environment, made by ``gymnasium.make(envs.toy.ID)``.

    Args:
        render_mode: ``"rgb_array"`` draws the arena from above, without OpenGL.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.observation_space = observation_space()
        self.action_space = action_space()
        self.render_mode = render_mode
        self._obs = torch.zeros(1, 4)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        self._obs = torch.from_numpy(start(self.np_random))[None]
        return self._obs[0].numpy().copy(), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Advance one step."""
        self._obs = advance(self._obs, torch.as_tensor(action, dtype=torch.float32)[None])
        ended = bool(outside(self._obs))
        return self._obs[0].numpy().copy(), reward(self._obs).item(), ended, False, {}

    def render(self) -> NDArray[np.uint8]:
        """A picture (96, 96, 3): the target grey, the point red."""
        pixels = np.linspace(-1.25, 1.25, 96)
        x, y = np.meshgrid(pixels, -pixels)
        frame = np.full((96, 96, 3), 255, np.uint8)
        frame[np.hypot(x, y) < 0.2] = 200
        px, py = self._obs[0, :2].tolist()
        frame[np.hypot(x - px, y - py) < 0.1] = (220, 40, 40)
        return frame


gym.register(ID, entry_point="envs.toy:PointMassGymnasium", max_episode_steps=TIME_LIMIT)
