"""Single steps taken out of episodes, all of them or thinned as in the GAIL paper."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from gail.episodes import BoolArray, FloatArray, IntArray


class Transitions(NamedTuple):
    """Expert steps as float32 tensors, in the environment's units."""

    obs: Tensor  # (B, O)
    action: Tensor  # (B, A)
    next_obs: Tensor  # (B, O), the final observation at an episode's last step
    terminated: Tensor  # (B,) bool, true only at the last step of a terminated episode


def thinned_rows(lengths: IntArray, every: int, generator: np.random.Generator) -> IntArray:
    """Every k-th row of each episode, from a random offset in [0, k) of its own.

    This is how the GAIL paper thins its expert data (Ho & Ermon 2016, section 6, and the code
    published with it). Every episode keeps at least one row.

    Args:
        lengths: (E,) rows of each episode.
        every: k; 1 keeps all rows.
        generator: draws the offsets.

    >>> thinned_rows(np.array([3, 2]), 1, np.random.default_rng(0)).tolist()
    [0, 1, 2, 3, 4]
    """
    offsets = generator.integers(0, np.minimum(every, lengths))
    starts = np.cumsum(lengths) - lengths
    since_offset = np.arange(lengths.sum()) - np.repeat(starts + offsets, lengths)
    return np.flatnonzero((since_offset >= 0) & (since_offset % every == 0))


def take(
    observations: FloatArray,
    actions: FloatArray,
    lengths: IntArray,
    terminated: BoolArray,
    rows: IntArray,
) -> Transitions:
    """The steps ``rows`` of flat episodes, each with its own true next observation.

    Args:
        observations: (sum(T + 1), O).
        actions: (sum T, A).
        lengths: (E,) steps T of each episode.
        terminated: (E,) whether the task ended the episode.
        rows: (B,) rows of ``actions`` to take.
    """
    ends = np.cumsum(lengths)
    # Every earlier episode has one observation more than it has actions.
    observed = rows + np.searchsorted(ends, rows, side="right")
    last = np.zeros(len(actions), dtype=np.bool_)
    last[ends - 1] = terminated
    return Transitions(
        torch.from_numpy(observations[observed]),
        torch.from_numpy(actions[rows]),
        torch.from_numpy(observations[observed + 1]),
        torch.from_numpy(last[rows]),
    )
