"""Demonstrations from plain arrays under the names people use, D4RL's and ``imitation``'s too.

Rules, in this order:

* Episodes come from ``lengths`` or ``indices`` (imitation: where the next one starts); else from
  arrays of shape (E, T, ·); else from steps flagged ``terminals``, ``timeouts``, ``dones`` or
  ``episode_starts`` and from breaks in the chain of ``next_observations``. What the end of the
  arrays cuts off is kept, as truncated.
* Where observations lack each episode's final one, as in D4RL, it is taken from
  ``next_observations``; without those the last step of each episode is left out, for its
  successor is unknown, and the episode counts as truncated.
* Where nothing tells how an episode ended, see :func:`gail.episodes.guess_terminated`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gail import validation
from gail.episodes import BoolArray, Episode, FloatArray, IntArray, Recording, guess_terminated
from gail.errors import DemonstrationError

Fields = dict[str, tuple[str, NDArray[Any]]]  # our name -> (name in the file, array)

_log = logging.getLogger("gail")

_NAMES = {
    "observations": ("observations", "obs", "obs_B_T_Do"),
    "actions": ("actions", "acts", "a_B_T_Da"),
    "next_observations": ("next_observations", "next_obs"),
    "rewards": ("rewards", "rews", "r_B_T"),
    "lengths": ("lengths", "len_B"),
    "indices": ("indices",),
    "terminated": ("terminated", "terminals", "terminations"),
    "truncated": ("truncated", "timeouts", "truncations"),
    "dones": ("dones", "terminal"),
    "episode_starts": ("episode_starts",),
    "seeds": ("seeds",),
    "env_id": ("env_id",),
    "mujoco_version": ("mujoco_version",),
}


def known_fields(names: Iterable[str]) -> dict[str, str]:
    """Which of a file's arrays are understood: our name -> the file's name.

    >>> known_fields(["obs", "acts", "infos"])
    {'observations': 'obs', 'actions': 'acts'}
    """
    there = set(names)
    found = {field: next((n for n in known if n in there), "") for field, known in _NAMES.items()}
    return {field: name for field, name in found.items() if name}


def recording_of(name: str, fields: Fields) -> Recording:
    """Cut plain arrays into episodes by the rules above.

    Args:
        name: file name, for messages.
        fields: the arrays, by our names.

    Raises:
        DemonstrationError: if observations or actions are missing, episodes cannot be told apart,
            or rows do not add up.
    """
    for field in ("observations", "actions"):
        if field not in fields:
            raise DemonstrationError(
                f"{name} has no field {field}, expected one of {', '.join(_NAMES[field])}; "
                "save the arrays under these names."
            )
    arrays = {field: array for field, (_, array) in _flattened(name, fields).items()}
    for field in ("observations", "actions", "next_observations", "rewards"):
        if field in arrays:
            arrays[field] = _rows_of_numbers(name, fields[field][0], field, arrays[field])
    episodes = _episodes(name, arrays, _lengths(name, arrays))
    return Recording(episodes, _text(arrays, "env_id"), _text(arrays, "mujoco_version"))


def _flattened(name: str, fields: Fields) -> Fields:
    """Arrays of shape (E, T, ·), padded or not, as the same rows one after another."""
    label, actions = fields["actions"]
    if actions.ndim != 3:
        return fields
    episodes, steps = actions.shape[:2]
    lengths = _padded_lengths(fields, episodes, steps)
    if lengths.shape != (episodes,) or lengths.min(initial=1) < 0 or lengths.max() > steps:
        raise DemonstrationError(
            f"{name}: field {fields['lengths'][0]} does not fit {episodes} episodes of at most "
            f"{steps} steps in {label}; give one length for each episode."
        )
    flat: Fields = {}
    for field, (own, array) in fields.items():
        if array.ndim >= 2 and array.shape[0] == episodes and array.shape[1] - steps in (0, 1):
            extra = array.shape[1] - steps
            rows = [array[e, : int(lengths[e]) + extra] for e in range(episodes)]
            array = np.concatenate(rows)
        flat[field] = (own, array)
    return flat | {"lengths": ("lengths", lengths)}


def _padded_lengths(fields: Fields, episodes: int, steps: int) -> IntArray:
    """Steps of each row of an (E, T, ·) array: as told, else to the first flag, else all T."""
    if "lengths" in fields:
        return np.asarray(fields["lengths"][1], dtype=np.int64)
    ended = np.zeros((episodes, steps), dtype=np.bool_)
    for field in ("terminated", "truncated", "dones"):
        if field in fields and fields[field][1].shape == ended.shape:
            ended |= fields[field][1].astype(np.bool_)
    return np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, steps).astype(np.int64)


def _rows_of_numbers(name: str, label: str, field: str, array: NDArray[Any]) -> FloatArray:
    values = validation.as_float32(array, name, label)
    if field == "rewards":
        return values.reshape(-1)
    if values.ndim == 1:
        return values[:, None]
    if values.ndim != 2:
        raise DemonstrationError(
            f"{name}: field {label} has shape {values.shape}, expected one row of numbers a step; "
            "flatten each observation and action to one row."
        )
    return values


def _lengths(name: str, arrays: dict[str, NDArray[Any]]) -> IntArray:
    """(E,) steps of each episode, told by the file or found by flags and breaks."""
    steps = len(arrays["actions"])
    if "lengths" in arrays:
        return _told_lengths(name, arrays["lengths"])
    if "indices" in arrays:
        starts = _told_lengths(name, arrays["indices"])
        return np.diff(np.concatenate([[0], starts, [steps]])).astype(np.int64)
    ends = _ends(name, arrays)
    if ends is not None:
        ends[-1:] = True
        return np.diff(np.concatenate([[-1], np.flatnonzero(ends)])).astype(np.int64)
    if len(arrays["observations"]) == steps + 1:
        return np.array([steps], dtype=np.int64)
    raise DemonstrationError(
        f"{name} does not tell where episodes end; add lengths (steps of each episode), or "
        "terminals and timeouts (one flag a step)."
    )


def _told_lengths(name: str, values: NDArray[Any]) -> IntArray:
    if values.ndim != 1 or values.dtype.kind not in "iuf" or (values != np.floor(values)).any():
        raise DemonstrationError(
            f"{name}: field lengths or indices has shape {values.shape} of {values.dtype}, "
            "expected one whole number for each episode."
        )
    return values.astype(np.int64)


def _ends(name: str, arrays: dict[str, NDArray[Any]]) -> BoolArray | None:
    """(N,) whether a row is the last of its episode, or None if nothing tells."""
    steps = len(arrays["actions"])
    ends, told = np.zeros(steps, dtype=np.bool_), False
    for field in ("terminated", "truncated", "dones"):
        if field in arrays and arrays[field].size == steps:
            ends |= arrays[field].reshape(-1).astype(np.bool_)
            told = True
    if "episode_starts" in arrays and arrays["episode_starts"].size == steps:
        ends[:-1] |= arrays["episode_starts"].reshape(-1)[1:].astype(np.bool_)
        told = True
    breaks = _chain_breaks(arrays)
    if breaks is not None and len(breaks) == steps - 1:
        if breaks.sum() > steps // 2:
            raise DemonstrationError(
                f"{name}: field next_observations is not the next row of observations in "
                f"{int(breaks.sum())} of {steps} rows; save whole episodes in time order."
            )
        ends[:-1] |= breaks
        told = True
    return ends if told else None


def _chain_breaks(arrays: dict[str, NDArray[Any]]) -> BoolArray | None:
    """(N - 1,) where a row's next observation is not the following row's observation."""
    following, observations = arrays.get("next_observations"), arrays["observations"]
    if following is None or following.shape != observations.shape:
        return None
    same = np.isclose(following[:-1], observations[1:], atol=1e-6, equal_nan=True)
    return np.asarray(~same.all(axis=1))


def _episodes(name: str, arrays: dict[str, NDArray[Any]], lengths: IntArray) -> list[Episode]:
    validation.check_lengths(name, lengths)
    observations, actions = arrays["observations"], arrays["actions"]
    steps, rewards = int(lengths.sum()), arrays.get("rewards")
    final_missing = len(observations) == steps == len(actions)
    rows = {"observations": len(observations), "actions": len(actions)}
    if final_missing:
        rows["observations"] += len(lengths)
        _check_chain(name, arrays, lengths)
    if rewards is not None:
        rows["rewards"] = len(rewards)
    validation.check_rows(name, lengths, rows)
    terminated, truncated = _how_ended(name, arrays, lengths)
    seeds = arrays.get("seeds", np.zeros(0)).tolist()
    episodes, stop = [], 0
    for index, length in enumerate(lengths.tolist()):
        start, stop = stop, stop + length
        offset = 0 if final_missing else index
        episodes.append(
            Episode(
                observations[start + offset : stop + offset + (not final_missing)],
                actions[start:stop],
                None if rewards is None else rewards[start:stop],
                bool(terminated[index]),
                bool(truncated[index]),
                int(seeds[index]) if len(seeds) == len(lengths) else None,
            )
        )
    return _completed(name, episodes, arrays, lengths) if final_missing else episodes


def _check_chain(name: str, arrays: dict[str, NDArray[Any]], lengths: IntArray) -> None:
    """Refuse next observations that contradict the following row inside an episode."""
    breaks = _chain_breaks(arrays)
    if breaks is not None:
        breaks[np.cumsum(lengths)[:-1] - 1] = False
    if breaks is not None and breaks.any():
        row = int(np.flatnonzero(breaks)[0])
        raise DemonstrationError(
            f"{name}: field next_observations, row {row}, is not row {row + 1} of observations "
            "although the episode goes on there; correct lengths or save rows in time order."
        )


def _completed(
    name: str, episodes: list[Episode], arrays: dict[str, NDArray[Any]], lengths: IntArray
) -> list[Episode]:
    """Episodes given their final observation, or cut by the step whose successor is unknown."""
    following = arrays.get("next_observations")
    if following is not None and len(following) == int(lengths.sum()):
        finals = following[np.cumsum(lengths) - 1]
        return [
            episode._replace(observations=np.concatenate([episode.observations, final[None]]))
            for episode, final in zip(episodes, finals, strict=True)
        ]
    _log.warning("%s has no final observations; the last step of each episode is left out.", name)
    return [
        episode._replace(
            actions=episode.actions[:-1],
            rewards=None if episode.rewards is None else episode.rewards[:-1],
            terminated=False,
            truncated=True,
        )
        for episode in episodes
    ]


def _how_ended(
    name: str, arrays: dict[str, NDArray[Any]], lengths: IntArray
) -> tuple[BoolArray, BoolArray]:
    """(E,) terminated and truncated flags."""
    terminated, truncated, done = (
        _end_flags(name, arrays, field, lengths) for field in ("terminated", "truncated", "dones")
    )
    if terminated is not None:
        return terminated, ~terminated if truncated is None else truncated
    if truncated is None:
        _log.warning("%s does not tell how episodes ended; the shorter ones count as falls.", name)
        guess = guess_terminated(lengths)
    else:
        guess = ~truncated
    if done is not None:
        guess &= done
    elif "lengths" not in arrays and "indices" not in arrays:
        guess[-1] = False  # the arrays may stop in the middle of an episode
    return guess, ~guess


def _end_flags(
    name: str, arrays: dict[str, NDArray[Any]], field: str, lengths: IntArray
) -> BoolArray | None:
    """(E,) a flag at the end of each episode, from one flag an episode or one a step."""
    if field not in arrays:
        return None
    flags = arrays[field].reshape(-1).astype(np.bool_)
    if len(flags) == len(lengths):
        return flags
    if len(flags) == lengths.sum():
        return flags[np.cumsum(lengths) - 1]
    raise DemonstrationError(
        f"{name}: field {field} has {len(flags)} flags, expected one for each of {len(lengths)} "
        f"episodes or of {int(lengths.sum())} steps; correct or leave it out."
    )


def _text(arrays: dict[str, NDArray[Any]], field: str) -> str | None:
    value = arrays.get(field)
    return str(value) if value is not None and value.dtype.kind == "U" else None
