"""The compatibility engine: any continuous-control Gymnasium task, one object per environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import find_highest_version, parse_env_id
from torch import Tensor

from envs.batched import BatchedEnv, Step
from envs.checks import check_action, check_num_envs, check_seed


class GymnasiumEnv(BatchedEnv):
    """N Gymnasium environments stepped one after the other.

    Observations and actions of any box are flattened and cast to float32.

    Args:
        id: Gymnasium id.
        num_envs: N.
        device: where actions come from and results go.
        seed: environment i is seeded with ``seed + i`` at the first reset.

    Raises:
        ValueError: Gymnasium cannot make the task, one of its spaces is not a box,
            there is less than one environment, or a negative seed.

    >>> env = GymnasiumEnv("Pendulum-v1", num_envs=2)
    >>> env.reset().shape
    torch.Size([2, 3])
    """

    def __init__(
        self, id: str, num_envs: int = 64, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        check_num_envs(num_envs)
        check_seed(seed)
        self.id = id
        self.num_envs = num_envs
        self.device = torch.device(device)
        first = make_single(id)
        self.observation_space = flat_box(first.observation_space, "observation", id)
        self.action_space = flat_box(first.action_space, "action", id)
        assert isinstance(first.action_space, spaces.Box)
        self._raw_actions = first.action_space
        self._envs = [first] + [make_single(id) for _ in range(num_envs - 1)]
        self._first_seed: int | None = seed

    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew; see :meth:`BatchedEnv.reset`."""
        seed = self._first_seed if seed is None else seed
        self._first_seed = None
        if seed is not None:
            check_seed(seed)
        seeds = [None if seed is None else seed + i for i in range(self.num_envs)]
        obs = self._buffer()
        for row, env, own_seed in zip(obs, self._envs, seeds, strict=True):
            row[:] = env.reset(seed=own_seed)[0].reshape(-1)
        return torch.from_numpy(obs).to(self.device)

    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step; see :meth:`BatchedEnv.step`."""
        final_obs = self._buffer()
        rewards = np.empty(self.num_envs, np.float32)
        ends = np.empty((2, self.num_envs), np.bool_)
        actions = unflatten_actions(check_action(self, action), self._raw_actions)
        for i, env in enumerate(self._envs):
            row, rewards[i], ends[0, i], ends[1, i], _ = env.step(actions[i])
            final_obs[i] = row.reshape(-1)
        obs = final_obs.copy()
        for i in np.flatnonzero(ends.any(0)).tolist():
            obs[i] = self._envs[i].reset()[0].reshape(-1)
        tensors = (torch.from_numpy(x).to(self.device) for x in (obs, rewards, *ends, final_obs))
        return Step(*tensors)

    def _buffer(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        return np.empty((self.num_envs, *self.observation_space.shape), np.float32)

    def close(self) -> None:
        """Close all environments."""
        for env in self._envs:
            env.close()


def flat_box(space: spaces.Space[Any], what: str, id: str) -> spaces.Box:
    """The box as a flat float32 box.

    Raises:
        ValueError: the space is no box; ``what`` and ``id`` name it in the sentence.
    """
    if not isinstance(space, spaces.Box):
        raise ValueError(
            f"The {what} space of {id} is {space}, not a box; only tasks with continuous "
            "observations and actions can be used, so wrap it into one."
        )
    with np.errstate(over="ignore"):  # bounds beyond float32 become infinite
        low, high = (bound.reshape(-1).astype(np.float32) for bound in (space.low, space.high))
    return spaces.Box(low, high, dtype=np.float32)


def unflatten_actions(action: Tensor, space: spaces.Box) -> np.ndarray[Any, np.dtype[Any]]:
    """Actions (N, A) clipped to the box, in its own shape (N, ...) and type."""
    actions = action.cpu().numpy().reshape(-1, *space.shape)
    clipped: np.ndarray[Any, np.dtype[Any]] = np.clip(actions, space.low, space.high)
    return clipped.astype(space.dtype)


def make_single(id: str, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """One environment, by its full id.

    Args:
        id: Gymnasium id with its version.
        render_mode: Gymnasium's, None for an environment that draws nothing.

    Raises:
        ValueError: the id is unknown or has no version, or a dependency is missing.
    """
    try:
        _require_version(id.rpartition(":")[2])
        return gym.make(id) if render_mode is None else gym.make(id, render_mode=render_mode)
    except (gym.error.Error, ImportError, AssertionError) as error:
        reason = (str(error).strip().splitlines() or [repr(error)])[0].rstrip(".")
        raise ValueError(
            f"Gymnasium cannot make '{id}': {reason}; give the id of an installed task, "
            "for example Ant-v5, or of your own with the module that registers it, my_module:My-v0."
        ) from error


def _require_version(id: str) -> None:
    """Refuse ``"Ant"``, for which Gymnasium would take whatever version is the newest."""
    namespace, name, version = parse_env_id(id)
    newest = find_highest_version(namespace, name)
    if version is None and newest is not None and id not in gym.registry:
        raise ValueError(f"'{id}' names no version of the task; give {id}-v{newest}.")
