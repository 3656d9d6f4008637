"""Facts about recorded episodes that need no model: duplicates, dead sensors, broken numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gail.episodes import Episode
from gail.validation import LARGEST

SHARED = 0.9  # of an episode's steps, from which on it counts as a copy
STUCK_STEPS = 25  # an unchanged sensor is told of after so many steps
STUCK_FACTOR = 3  # times as long as it ever was unchanged in other episodes


def broken(episode: Episode) -> str | None:
    """Why an episode cannot be used at all, or None.

    >>> broken(Episode(np.array([[0.0], [np.nan], [0.0]]), np.zeros((2, 1))))
    'observations are not finite from row 1 on (1 row)'
    """
    if len(episode.actions) < 2:
        return f"{len(episode.actions)} steps long"
    for field in ("observations", "actions", "rewards"):
        values = getattr(episode, field)
        if values is None:
            continue
        wide = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        wrong = np.flatnonzero(~(np.abs(wide) < LARGEST).all(1))
        if len(wrong):
            rows = "row" if len(wrong) == 1 else "rows"
            return f"{field} are not finite from row {wrong[0]} on ({len(wrong)} {rows})"
    return None


def duplicates(episodes: Sequence[Episode]) -> list[int | None]:
    """For each episode the earlier one that it is a copy of, if any.

    Copies share nine in ten of their pairs of observation and action, to the last bit, in
    whatever order: a repeated episode, a piece cut out of one, or one saved again with another
    end. Steps that repeat within their own episode (a robot at rest) tell nothing and are left
    out.

    >>> one = Episode(np.arange(6.0)[:, None], np.zeros((5, 1)))
    >>> duplicates([one, one._replace(actions=np.ones((5, 1))), one])
    [None, None, 0]
    """
    owner: dict[bytes, int] = {}
    found: list[int | None] = []
    for number, episode in enumerate(episodes):
        keys = _steps(episode)
        shared = np.array([owner[key] for key in keys if key in owner], dtype=np.int64)
        counts = np.bincount(shared, minlength=1)
        copied = len(keys) > 0 and counts.max() >= SHARED * len(keys)
        found.append(int(counts.argmax()) if copied else None)
        if not copied:
            for key in keys:
                owner.setdefault(key, number)
    return found


def _steps(episode: Episode) -> list[bytes]:
    """Observation and action of each step as bytes, those that occur once."""
    steps = len(episode.actions)
    rows = np.concatenate([episode.observations[:steps], episode.actions], 1, dtype=np.float32)
    keys, counts = np.unique([row.tobytes() for row in rows], return_counts=True)
    return [bytes(key) for key, count in zip(keys, counts, strict=True) if count == 1]


def longest_rests(episode: Episode) -> NDArray[np.int64]:
    """Most steps (O,) over which each sensor kept exactly the same value.

    >>> longest_rests(Episode(np.array([[0, 1], [0, 2], [0, 3], [1, 3.0]]), np.zeros((3, 1))))
    array([2, 1])
    """
    same = episode.observations[1:] == episode.observations[:-1]  # (T, O)
    steps = np.arange(1, len(same) + 1)[:, None]
    changed = np.maximum.accumulate(np.where(same, 0, steps), axis=0)
    longest: NDArray[np.int64] = (steps - changed).max(0)
    return longest


def dead_sensors(
    episodes: Sequence[Episode], reference: Sequence[Episode] | None = None
) -> list[list[int]]:
    """For each episode the sensors that stand still in it and move in most others.

    A sensor counts as dead where it kept one value for 25 steps and three times longer than it
    does in nine of ten other episodes (or its whole episode, where that is shorter).

    Args:
        episodes: those to look at.
        reference: what they are compared with; by default one another.

    >>> moving = Episode(np.random.default_rng(0).random((101, 2)), np.zeros((100, 1)))
    >>> stuck = moving._replace(observations=np.array(moving.observations))
    >>> stuck.observations[40:, 1] = 0.5
    >>> dead_sensors([moving, moving, stuck])
    [[], [], [1]]
    """
    rests = np.array([longest_rests(episode) for episode in episodes])  # (E, O)
    if reference is None and len(episodes) < 2:
        return [[] for _ in episodes]
    known = None if reference is None else np.array([longest_rests(each) for each in reference])
    found = []
    for number, rest in enumerate(rests):
        others = np.delete(rests, number, axis=0) if known is None else known
        usual = np.quantile(others, 0.9, axis=0, method="inverted_cdf")
        steps = len(episodes[number].actions)
        limit = np.maximum(STUCK_STEPS, np.minimum(STUCK_FACTOR * usual + 1, steps))
        found.append(np.flatnonzero((rest >= limit) & (rest > usual)).tolist())
    return found
