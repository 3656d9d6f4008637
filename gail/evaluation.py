"""Scores of a policy, always measured in the official Gymnasium environment.

Whatever engine trained a policy, its score comes from ``gymnasium.make``: episode i is reset
with seed ``seed + i``, so two policies are compared on the same starts.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

from gail.errors import GailError
from gail.playing import EVALUATION_SEED, Policy, RandomPolicy, make, play

RANDOM_SEED = 20_000  # first reset seed of the random policy's episodes


@dataclass(frozen=True)
class Evaluation:
    """What a policy scored.

    >>> score = Evaluation("Toy-v0", [9.0, 11.0], [5, 5], [False, True], random_return=0.0)
    >>> score.mean_return, score.fall_rate, score.normalised_score
    (10.0, 0.5, None)
    >>> Evaluation("Toy-v0", [9.0, 11.0], [5, 5], [], 0.0, expert_return=20.0).normalised_score
    0.5
    """

    env: str
    returns: list[float]
    """Sum of rewards of each episode."""
    lengths: list[int]
    """Steps of each episode."""
    falls: list[bool]
    """Whether each episode terminated before the time limit."""
    random_return: float
    """Mean return of uniformly random actions."""
    expert_return: float | None = None
    """Mean return of the demonstrations, None where it is not known."""
    distances: list[float] = field(default_factory=list)
    """Metres forward of each episode, empty where the task does not tell its position."""
    seconds: list[float] = field(default_factory=list)
    """Simulated seconds of each episode, empty where the task does not tell its step."""
    seed: int = EVALUATION_SEED
    deterministic: bool = True
    versions: dict[str, str] = field(default_factory=lambda: simulation_versions())

    @property
    def episodes(self) -> int:
        """Number of episodes."""
        return len(self.returns)

    @property
    def mean_return(self) -> float:
        """Mean over episodes."""
        return float(np.mean(self.returns))

    @property
    def std_return(self) -> float:
        """Standard deviation over episodes."""
        return float(np.std(self.returns))

    @property
    def fall_rate(self) -> float:
        """Share of episodes that terminated before the time limit."""
        return float(np.mean(self.falls))

    @property
    def forward_distance(self) -> float | None:
        """Mean metres forward, None where the task does not tell its position."""
        return float(np.mean(self.distances)) if self.distances else None

    @property
    def mean_speed(self) -> float | None:
        """Metres forward a second of simulated time, over all episodes; None where unknown.

        >>> score = Evaluation("Toy-v0", [], [], [], 0.0, distances=[5.0, 1.0], seconds=[3.0, 1.0])
        >>> score.mean_speed
        1.5
        """
        known = bool(self.distances) and len(self.distances) == len(self.seconds)
        return sum(self.distances) / sum(self.seconds) if known else None

    @property
    def normalised_score(self) -> float | None:
        """0 for random actions, 1 for the expert; None where the expert's return is unknown."""
        return normalised_score(self.mean_return, self.random_return, self.expert_return)

    def to_json(self) -> dict[str, Any]:
        """The content of ``evaluation.json``: the summary first, then every episode."""
        summary = (
            "normalised_score",
            "mean_return",
            "std_return",
            "fall_rate",
            "episodes",
            "random_return",
            "expert_return",
            "forward_distance",
            "mean_speed",
        )
        return {name: getattr(self, name) for name in summary} | asdict(self)


def normalised_score(score: float, random: float, expert: float | None) -> float | None:
    """The share of the way from random to expert.

    >>> normalised_score(50.0, 0.0, 100.0)
    0.5
    """
    if expert is None or not math.isfinite(expert) or expert == random:
        return None
    return (score - random) / (expert - random)


def evaluate(
    policy: Policy,
    env_id: str,
    episodes: int = 50,
    seed: int = EVALUATION_SEED,
    deterministic: bool = True,
    expert_return: float | None = None,
) -> Evaluation:
    """Play whole episodes in the official environment.

    Args:
        policy: anything with SB3's ``predict``.
        env_id: Gymnasium id.
        episodes: how many.
        seed: episode i is reset with ``seed + i``. Seeds below 10,000 belong to demonstrations.
        deterministic: take the policy's mean action instead of a sample.
        expert_return: mean return of the demonstrations; the score cannot be normalised
            without it.

    Raises:
        ValueError: if the environment is unknown, no id, or its spaces are not flat boxes.
        DivergenceError: if the policy gives actions that are not finite.

    >>> from gail.playing import RandomPolicy, make
    >>> policy = RandomPolicy(make("toy/PointMass-v0").action_space)
    >>> evaluate(policy, "toy/PointMass-v0", episodes=3).episodes
    3
    """
    if not isinstance(env_id, str):
        raise GailError(
            f"env_id is a {type(env_id).__name__}; give a Gymnasium id such as "
            f"'{getattr(getattr(env_id, 'spec', None), 'id', 'Ant-v5')}', because episodes are "
            "played in environments that are made anew."
        )
    played = list(play(policy, env_id, episodes, seed, deterministic))
    ended = [each.episode for each in played]
    return Evaluation(
        env=env_id,
        returns=[each.total for each in played],
        lengths=[len(episode.actions) for episode in ended],
        falls=[episode.terminated and not episode.truncated for episode in ended],
        random_return=random_return(env_id),
        expert_return=expert_return,
        distances=[each.distance for each in played if each.distance is not None],
        seconds=[each.seconds for each in played if each.seconds is not None],
        seed=seed,
        deterministic=deterministic,
    )


@lru_cache(maxsize=32)
def random_return(env_id: str, episodes: int = 20, seed: int = RANDOM_SEED) -> float:
    """Mean return of uniformly random actions, measured once per process.

    Args:
        env_id: Gymnasium id.
        episodes: how many are played.
        seed: of the first reset and of the actions.
    """
    played = play(RandomPolicy(make(env_id).action_space, seed), env_id, episodes, seed)
    return float(np.mean([each.total for each in played]))


def simulation_versions() -> dict[str, str]:
    """Versions that a return depends on.

    >>> sorted(simulation_versions())
    ['gymnasium', 'mujoco']
    """
    return {"gymnasium": gym.__version__, "mujoco": mujoco.__version__}
