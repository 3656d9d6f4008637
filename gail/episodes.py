"""Episodes as plain arrays: what the readers of every file format return and the writers take."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
AnyPath = str | os.PathLike[str]
IntArray = NDArray[np.int64]


class Episode(NamedTuple):
    """One whole episode of T steps.

    Attributes:
        observations: (T + 1, O), in the environment's units; the last one is final.
        actions: (T, A), in the environment's units.
        rewards: (T,), the environment's own reward, or None where unknown.
        terminated: the task ended the episode (a fall, a goal).
        truncated: a time limit or the end of the recording cut it off.
        seed: the seed of the environment's reset, where known.
    """

    observations: NDArray[Any]
    actions: NDArray[Any]
    rewards: NDArray[Any] | None = None
    terminated: bool = False
    truncated: bool = True
    seed: int | None = None


@dataclass(frozen=True)
class Recording:
    """Episodes with what a file tells about their origin.

    Attributes:
        episodes: at least one, all with or all without rewards.
        env_id: Gymnasium id of the task, where known.
        mujoco_version: the physics they were recorded with, where known.
    """

    episodes: Sequence[Episode]
    env_id: str | None = None
    mujoco_version: str | None = None


def flat_arrays(episodes: Sequence[Episode]) -> dict[str, NDArray[Any]]:
    """Join episodes into flat arrays under the names of :class:`gail.Demonstrations`.

    ``rewards`` and ``seeds`` are left out unless every episode has them.

    >>> one = Episode(np.zeros((3, 2)), np.ones((2, 1)))
    >>> {field: len(array) for field, array in flat_arrays([one, one]).items()}
    {'observations': 6, 'actions': 4, 'lengths': 2, 'terminated': 2, 'truncated': 2}
    """
    arrays: dict[str, NDArray[Any]] = {
        "observations": np.concatenate([np.asarray(e.observations) for e in episodes]),
        "actions": np.concatenate([np.asarray(e.actions) for e in episodes]),
        "lengths": np.array([len(e.actions) for e in episodes], dtype=np.int64),
        "terminated": np.array([e.terminated for e in episodes], dtype=np.bool_),
        "truncated": np.array([e.truncated for e in episodes], dtype=np.bool_),
    }
    rewards = [np.asarray(e.rewards) for e in episodes if e.rewards is not None]
    seeds = [e.seed for e in episodes if e.seed is not None]
    if len(rewards) == len(episodes):
        arrays["rewards"] = np.concatenate(rewards)
    if len(seeds) == len(episodes):
        arrays["seeds"] = np.array(seeds, dtype=np.int64)
    return arrays


def guess_terminated(lengths: IntArray) -> BoolArray:
    """Tell terminated (E,) from truncated episodes where a file does not say how they ended.

    The longest episodes of a file are taken as cut by the time limit and every shorter one
    as terminated: right for fixed horizons and for tasks that end at a fall.

    Args:
        lengths: (E,) steps of each episode.

    >>> guess_terminated(np.array([1000, 312, 1000])).tolist()
    [False, True, False]
    """
    return np.asarray(lengths < lengths.max(initial=0))


def content_hash(arrays: Mapping[str, NDArray[Any] | None]) -> str:
    """SHA-256 of named arrays: names, shapes and little-endian content, sorted by name."""
    digest = hashlib.sha256()
    for field, values in sorted(arrays.items()):
        digest.update(f"{field} {None if values is None else values.shape}".encode())
        if values is not None:
            digest.update(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()
