"""Playing policies in the official Gymnasium environments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import gymnasium as gym
import mujoco
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.checks import check_seed
from envs.gymnasium_engine import make_single
from gail.episodes import Episode
from gail.errors import DivergenceError, GailError

EVALUATION_SEED = 10_000  # reset seeds below belong to demonstrations
ROWS = 25  # every call of predict has this many rows, see play()


class Policy(Protocol):
    """Anything with SB3's ``predict``."""

    def predict(
        self,
        observation: NDArray[Any],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (B, A) for observations (B, O), and a state that is not used here.

        ``episode_start`` (B,) tells which observations are the first of an episode.
        """


class RandomPolicy:
    """Uniformly random actions.

    Args:
        space: the box that actions (A,) are drawn from; infinite bounds count as ±1.
        seed: of the random stream.
    """

    def __init__(self, space: spaces.Space[Any], seed: int = 0) -> None:
        assert isinstance(space, spaces.Box)
        check_seed(seed)
        self.low = np.where(np.isfinite(space.low), space.low, -1.0)
        self.high = np.where(np.isfinite(space.high), space.high, 1.0)
        self.random = np.random.default_rng(seed)

    def predict(
        self,
        observation: NDArray[Any],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        """Actions (B, A) that ignore the observations (B, O)."""
        shape = (len(observation), *self.low.shape)
        return self.random.uniform(self.low, self.high, shape).astype(np.float32), None


class Played(NamedTuple):
    """One episode, how far it went and how long it took."""

    episode: Episode
    distance: float | None  # metres forward, where the task tells its position
    seconds: float | None = None  # of simulated time, where the task tells its step

    @property
    def total(self) -> float:
        """Undiscounted sum of the environment's own reward."""
        assert self.episode.rewards is not None
        return float(self.episode.rewards.sum())


def make(env_id: str, render_mode: str | None = None) -> gym.Env[Any, Any]:
    """The official environment, with one sentence where it cannot be used.

    Raises:
        ValueError: if the environment is unknown, misses a dependency, or its spaces are not
            flat boxes.
    """
    try:
        env = make_single(env_id, render_mode)
    except ValueError as error:
        raise GailError(str(error)) from error
    for name in ("observation_space", "action_space"):
        space = getattr(env, name)
        if not isinstance(space, spaces.Box) or len(space.shape) != 1:
            env.close()
            raise GailError(
                f"The {name.replace('_', ' ')} of '{env_id}' is {space}; only flat boxes "
                "(continuous vectors) are supported, so choose another task or wrap it into one."
            )
    return env


def physics_version(env_id: str) -> str | None:
    """MuJoCo's version if the task is simulated by it, else None.

    >>> physics_version("toy/PointMass-v0") is None
    True
    """
    env = make(env_id)
    env.close()
    return mujoco.__version__ if uses_mujoco(env) else None


def uses_mujoco(env: gym.Env[Any, Any]) -> bool:
    """Whether an environment holds a MuJoCo model."""
    return isinstance(getattr(env.unwrapped, "model", None), mujoco.MjModel)


def play(
    policy: Policy,
    env_id: str,
    episodes: int,
    seed: int = EVALUATION_SEED,
    deterministic: bool = True,
) -> Iterator[Played]:
    """Play episodes in order, several environments side by side.

    A row of a matrix product is rounded differently in batches of different sizes, and MuJoCo
    amplifies the last bit within an episode. So ``predict`` always gets a full batch of the
    same size, padded where fewer episodes run: episode i does not depend on how many are played.

    Args:
        policy: anything with SB3's ``predict``.
        env_id: Gymnasium id.
        episodes: how many.
        seed: episode i is reset with ``seed + i``.
        deterministic: take the policy's mean action instead of a sample.
    """
    if episodes < 1:
        raise GailError(f"episodes is {episodes}; at least one has to be played.")
    check_seed(seed)
    row_envs = [make(env_id) for _ in range(min(ROWS, episodes))]
    try:
        for first in range(0, episodes, ROWS):
            wave = row_envs[: episodes - first]
            yield from _play_wave(policy, wave, seed + first, deterministic)
    finally:
        for env in row_envs:
            env.close()


class _Row:
    """One environment of a wave and what its episode gave so far."""

    def __init__(self, env: gym.Env[Any, Any], seed: int) -> None:
        obs, info = env.reset(seed=seed)
        assert isinstance(env.action_space, spaces.Box)
        self.env, self.box, self.seed = env, env.action_space, seed
        self.observations = [np.asarray(obs, np.float32)]
        self.actions: list[NDArray[np.float32]] = []
        self.rewards: list[float] = []
        self.terminated = self.truncated = False
        self.positions = [info.get("x_position")]

    @property
    def done(self) -> bool:
        return self.terminated or self.truncated

    def step(self, action: NDArray[Any]) -> None:
        action = np.clip(action, self.box.low, self.box.high).astype(self.box.dtype)
        obs, reward, self.terminated, self.truncated, info = self.env.step(action)
        self.observations.append(np.asarray(obs, np.float32))
        self.actions.append(np.asarray(action, np.float32))
        self.rewards.append(float(reward))
        self.positions.append(info.get("x_position"))

    def played(self) -> Played:
        start, end = self.positions[0], self.positions[-1]
        episode = Episode(
            np.stack(self.observations),
            np.stack(self.actions),
            np.array(self.rewards),
            bool(self.terminated),
            bool(self.truncated),
            self.seed,
        )
        distance = None if start is None or end is None else float(end - start)
        step = getattr(self.env.unwrapped, "dt", None) if uses_mujoco(self.env) else None
        return Played(episode, distance, None if step is None else float(step) * len(self.rewards))


def _play_wave(
    policy: Policy, wave: list[gym.Env[Any, Any]], seed: int, deterministic: bool
) -> list[Played]:
    """Play one episode in each of at most ROWS environments."""
    rows = [_Row(env, seed + i) for i, env in enumerate(wave)]
    width = rows[0].observations[0].shape[0]
    batch = np.zeros((ROWS, width), np.float32)  # (ROWS, O), rows beyond the wave stay zero
    starts = np.arange(ROWS) < len(rows)  # (ROWS,)
    while not all(row.done for row in rows):
        for i, row in enumerate(rows):
            batch[i] = row.observations[-1]
        actions, _ = policy.predict(batch, episode_start=starts, deterministic=deterministic)
        starts = np.zeros(ROWS, np.bool_)
        for i, row in enumerate(rows):
            if row.done:
                continue
            if not np.isfinite(actions[i]).all():
                raise DivergenceError(
                    f"The policy gave a non-finite action in step {len(row.rewards)} of the "
                    f"episode with seed {seed + i}; its weights are damaged or it diverged."
                )
            row.step(actions[i])
    return [row.played() for row in rows]
