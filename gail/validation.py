"""Checks that demonstrations are whole and finite, whatever the task.

Each raises one sentence that names file and field, what was found and what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gail.episodes import Episode, FloatArray, IntArray, Recording
from gail.errors import DemonstrationError

LARGEST = 1e18  # no quantity of a task is near it, and float32 holds its square

_log = logging.getLogger("gail")


def checked_arrays(name: str, arrays: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Flat arrays of whole episodes in their proper types, or an error if they do not fit.

    Args:
        name: file name for the sentence.
        arrays: ``observations``, ``actions``, ``lengths``, ``terminated``, ``truncated``, and
            perhaps ``rewards`` and ``seeds``, as described at :class:`gail.Demonstrations`.
    """
    checked: dict[str, NDArray[Any]] = {"lengths": np.asarray(arrays["lengths"], dtype=np.int64)}
    lengths = checked["lengths"]
    rows = {"observations": lengths + 1, "actions": lengths, "rewards": lengths}
    rows = {field: rows[field] for field in rows if arrays.get(field) is not None}
    check_lengths(name, lengths)
    for field in rows:
        checked[field] = as_float32(arrays[field], name, field)
    check_rows(name, lengths, {field: len(checked[field]) for field in rows})
    for field, counts in rows.items():
        _check_width(name, field, checked[field])
        check_finite(name, field, checked[field], counts)
    for field in ("terminated", "truncated"):
        checked[field] = np.asarray(arrays[field], dtype=np.bool_)
        if checked[field].shape != lengths.shape:
            raise DemonstrationError(
                f"{name}: field {field} has shape {checked[field].shape}, expected one flag for "
                f"each of {len(lengths)} episodes."
            )
    checked["truncated"] = checked["truncated"] | ~checked["terminated"]
    return checked


def _check_width(name: str, field: str, values: FloatArray) -> None:
    dimensions = 1 if field == "rewards" else 2
    if values.ndim != dimensions or 0 in values.shape:
        raise DemonstrationError(
            f"{name}: field {field} has shape {values.shape}, expected one "
            f"{'number' if field == 'rewards' else 'row of numbers'} a step; flatten it."
        )


def as_float32(array: Any, name: str, field: str) -> FloatArray:
    """A contiguous float32 copy or view of ``array``, refused unless it holds real numbers."""
    values = np.asarray(array)
    if values.dtype.kind not in "fiub":
        raise DemonstrationError(
            f"{name}: field {field} holds {values.dtype} values, expected numbers; "
            "save it as a float32 array."
        )
    with np.errstate(over="ignore"):  # what does not fit becomes infinite and is reported so
        return np.ascontiguousarray(values, dtype=np.float32)


def tell_missing(name: str, recording: Recording, env_id: str | None) -> None:
    """Log one notice of all metadata that a file lacks, and what is taken for it.

    Args:
        name: file name for the sentence.
        recording: what the file holds.
        env_id: the task it is taken to be of, where the caller knows.
    """
    missing = []
    if recording.env_id is None:
        missing.append("the environment id" + (f" (taken as {env_id})" if env_id else ""))
    if recording.mujoco_version is None:
        missing.append("the MuJoCo version")
    if recording.episodes and recording.episodes[0].rewards is None:
        missing.append("rewards (no score can be normalised by them)")
    if missing:
        _log.warning("%s does not tell %s.", name, ", ".join(missing))


def check_episodes(name: str, episodes: Sequence[Episode]) -> None:
    """Refuse episodes that cannot be joined: none, unequal lengths, rewards in only some."""
    if not episodes:
        raise DemonstrationError(f"{name} holds no episodes; record at least one.")
    first = episodes[0]
    for index, episode in enumerate(episodes):
        where = f"{name}: episode {index}"
        if not isinstance(episode, Episode):
            found = type(episode).__name__
            raise DemonstrationError(f"{where} is a {found}; give gail.demonstrations.Episode.")
        for field in ("observations", "actions"):
            shape, expected = np.shape(getattr(episode, field)), np.shape(getattr(first, field))
            if len(shape) != 2 or shape[1] < 1:
                raise DemonstrationError(
                    f"{where}: field {field} has shape {shape}, expected one row of numbers a "
                    "step; flatten each observation and action to one row."
                )
            if shape[1] != expected[1]:
                raise DemonstrationError(
                    f"{where}: field {field} is {shape[1]} wide but {expected[1]} wide in episode "
                    "0; keep one task a file."
                )
        _check_rows(where, episode)
        if (episode.rewards is None) != (first.rewards is None):
            raise DemonstrationError(
                f"{where}: field rewards is there for some episodes only; give it for all or none."
            )


def _check_rows(where: str, episode: Episode) -> None:
    rows, steps = len(episode.observations), len(episode.actions)
    if rows != steps + 1:
        raise DemonstrationError(
            f"{where}: {steps} actions need {steps + 1} observations (the final one included), "
            f"found {rows}; save the arrays in equal lengths."
        )
    if episode.rewards is not None and np.shape(episode.rewards) != (steps,):
        raise DemonstrationError(
            f"{where}: field rewards has shape {np.shape(episode.rewards)}, expected ({steps},), "
            "one reward a step; save it so or leave it out."
        )


def check_lengths(name: str, lengths: IntArray) -> None:
    """Refuse files without episodes, and empty and one-step ones: recording errors."""
    if not len(lengths):
        raise DemonstrationError(f"{name} holds no episodes; record at least one.")
    short = np.flatnonzero(lengths < 2)
    if len(short):
        found = "no steps" if lengths[short[0]] < 1 else "one step"
        raise DemonstrationError(
            f"{name}: field lengths: {len(short)} of {len(lengths)} episodes are empty or one step "
            f"long (episode {short[0]} has {found}), expected two steps at least; "
            "leave those episodes out."
        )


def check_rows(name: str, lengths: IntArray, rows: Mapping[str, int]) -> None:
    """Refuse flat arrays whose rows do not add up to the episode lengths.

    Args:
        name: file name for the sentence.
        lengths: (E,) steps of each episode.
        rows: rows found in ``observations``, ``actions`` and, where there, ``rewards``.
    """
    steps, episodes = int(lengths.sum()), len(lengths)
    expected = {"observations": steps + episodes, "actions": steps, "rewards": steps}
    if rows["observations"] == steps and rows["actions"] == steps + episodes:
        raise DemonstrationError(
            f"{name}: fields observations and actions look exchanged: {rows['actions']} actions "
            f"for {rows['observations']} observations in {episodes} episodes; swap the two arrays."
        )
    for field, found in rows.items():
        if found != expected[field]:
            raise DemonstrationError(
                f"{name}: field {field} has {found} rows, expected {expected[field]} for "
                f"{episodes} episodes of {steps} steps together; save the arrays in equal lengths."
            )


def check_finite(name: str, field: str, values: FloatArray, rows: IntArray) -> None:
    """Refuse NaN, infinite and senseless values, naming the first one's episode and row.

    Args:
        name: file name for the sentence.
        field: which array this is.
        values: (R,) or (R, D) numbers of all episodes, one after another.
        rows: (E,) rows that each episode has in ``values``.
    """
    wrong = ~(np.abs(values) < LARGEST)
    if not wrong.any():
        return
    bad = np.flatnonzero(wrong.reshape(len(values), -1).any(axis=1))
    ends = np.cumsum(rows)
    episode = int(np.searchsorted(ends, bad[0], side="right"))
    row = int(bad[0] - (ends[episode] - rows[episode]))
    value = values[bad[0]][wrong[bad[0]]].flat[0]
    raise DemonstrationError(
        f"{name}: field {field} holds {value:g} in episode {episode}, row {row} "
        f"({len(bad)} of {len(values)} rows hold such), expected finite numbers below {LARGEST:g}; "
        "record those episodes again or leave them out."
    )
