"""Checks that demonstrations are of the task that is to be trained.

Each raises one sentence that names file and field, what was found and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from gail.episodes import FloatArray
from gail.errors import DemonstrationError

CLIPPED_ENTRIES = 5  # so many at either end tell that the actions were clipped there
ACTION_TOLERANCE = 1e-4  # float32 rounding and solvers' slack, in the task's action units

# Observation widths of the same tasks in other versions: (task, width) -> where it comes from.
_OTHER_VERSIONS: Mapping[tuple[str, int], str] = {
    ("Ant", 27): "Ant-v4 (contact forces left out)",
    ("Ant", 111): "Ant-v4 with contact forces, Ant-v3 or Ant-v2",
    ("Humanoid", 376): "Humanoid-v4 or older",
    ("HumanoidStandup", 376): "HumanoidStandup-v4 or older",
    ("Reacher", 11): "Reacher-v4 or older",
    ("InvertedDoublePendulum", 11): "InvertedDoublePendulum-v4 or older",
}

# Tasks whose version 5 Minari has experts of, as mujoco/<name>/expert-v0.
_MINARI_V5 = frozenset(
    (
        *("Ant", "HalfCheetah", "Hopper", "Humanoid", "InvertedDoublePendulum"),
        *("InvertedPendulum", "Pusher", "Reacher", "Swimmer", "Walker2d"),
    )
)


def check_spaces(
    name: str,
    env_id: str,
    widths: tuple[int, int],
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
) -> spaces.Box:
    """Refuse demonstrations whose widths are not those of the task; gives its action box.

    Args:
        name: file name for the sentence.
        env_id: the task's Gymnasium id.
        widths: (O, A) of the demonstrations.
        observation_space: of the task.
        action_space: of the task.
    """
    box = _flat_box(env_id, "action", action_space)
    expected = (_flat_box(env_id, "observation", observation_space).shape[0], box.shape[0])
    if widths == expected:
        return box
    if widths == expected[::-1]:
        raise DemonstrationError(
            f"{name}: fields observations and actions look exchanged: {widths[0]} and {widths[1]} "
            f"wide where {env_id} has {expected[0]} and {expected[1]}; swap the two arrays."
        )
    field, found, wanted = next(
        item
        for item in zip(("observations", "actions"), widths, expected, strict=True)
        if item[1] != item[2]
    )
    origin = _OTHER_VERSIONS.get((env_id.rpartition("-v")[0], found))
    if origin and field == "observations":
        raise DemonstrationError(
            f"{name}: field {field} is {found} wide as in {origin}, but {env_id} has {wanted}; "
            f"record the expert again in {env_id} ({_sources(env_id)}), or train on the old task "
            "(--env)."
        )
    raise DemonstrationError(
        f"{name}: field {field} is {found} wide, but {env_id} has {wanted}; give demonstrations of "
        f"{env_id}, or name the task they are of (--env)."
    )


def _flat_box(env_id: str, kind: str, space: spaces.Space[Any]) -> spaces.Box:
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise DemonstrationError(
            f"{env_id} has {kind} space {space}, expected a flat Box; wrap the environment "
            "(FlattenObservation) or choose a continuous-control task."
        )
    return space


def check_env_id(name: str, found: str | None, env_id: str | None) -> None:
    """Refuse a file that says it was recorded in another task; None makes no claim.

    >>> check_env_id("mine.npz", "my_tasks:Walk-v0", "Walk-v0")
    """
    if found is None or env_id is None or own_id(found) == own_id(env_id):
        return
    same_task = own_id(found).rpartition("-v")[0] == own_id(env_id).rpartition("-v")[0]
    why = "; versions differ in observations, rewards or physics" if same_task else ""
    raise DemonstrationError(
        f"{name}: field env_id says {found} but the task is {env_id}{why}; give demonstrations "
        f"recorded in {env_id} ({_sources(env_id)}), or train with --env {found}."
    )


def own_id(env_id: str) -> str:
    """An id without the module that Gymnasium imports first, which its environments do not tell."""
    return env_id.rpartition(":")[2]


def _sources(env_id: str) -> str:
    """Where demonstrations of a task can come from."""
    task, _, version = env_id.rpartition("-v")
    if version == "5" and task in _MINARI_V5:
        dataset = f"mujoco/{task.lower()}/expert-v0"
        return f"gail collect makes them, or minari download {dataset}"
    return "gail collect makes them"


def check_actions(name: str, env_id: str, actions: FloatArray, box: spaces.Box) -> None:
    """Refuse actions outside the task's box by more than ``ACTION_TOLERANCE``.

    Args:
        name: file name for the sentence.
        env_id: the task's Gymnasium id.
        actions: (R, A), in whatever units the file has.
        box: the task's action space.
    """
    low, high = box.low - ACTION_TOLERANCE, box.high + ACTION_TOLERANCE
    outside = ((actions < low) | (actions > high)).any(axis=1)
    if not outside.any():
        return
    largest = float(np.abs(actions).max())
    raise DemonstrationError(
        f"{name}: field actions: {int(outside.sum())} of {len(actions)} rows leave {env_id}'s "
        f"action box {_interval(box)}, the largest magnitude is {largest:.4g}; "
        f"{_remedy(actions, largest, box)}."
    )


def _interval(box: spaces.Box) -> str:
    ends: list[NDArray[Any]] = [np.unique(box.low), np.unique(box.high)]
    if all(len(end) == 1 for end in ends):
        return f"[{float(ends[0][0]):.4g}, {float(ends[1][0]):.4g}]"
    return f"[{box.low.round(4).tolist()}, {box.high.round(4).tolist()}]"


def _remedy(actions: FloatArray, largest: float, box: spaces.Box) -> str:
    if box.is_bounded() and largest <= 1 + ACTION_TOLERANCE:
        return f"they look scaled to [-1, 1]: {_factor(1.0, box)}"
    if box.is_bounded() and _clipped_at(actions, largest):
        ends = f"[-{largest:.4g}, {largest:.4g}]"
        return f"they look recorded in a box of {ends}: {_factor(largest, box)}"
    return (
        "if they are a policy's raw outputs, which the environment clipped, clip them to the box; "
        "if they are in other units, convert them to the environment's"
    )


def _clipped_at(actions: FloatArray, largest: float) -> bool:
    """Whether actions pile up at both ends of ±largest, as only a box's ends make them."""
    end = largest * (1 - 1e-6)
    at_ends = (np.count_nonzero(actions >= end), np.count_nonzero(actions <= -end))
    return bool(min(at_ends) >= CLIPPED_ENTRIES)


def _factor(reach: float, box: spaces.Box) -> str:
    """How actions in ±reach become the box's."""
    half = (box.high - box.low) / 2 / reach
    even = "the box's half-range" if reach == 1 else f"the box's half-range over {reach:.4g}"
    scale = f"{float(half[0]):.4g}" if np.ptp(half) == 0 else even
    middle = "" if np.allclose(box.high, -box.low) else " and add the box's middle"
    return f"multiply them by {scale}{middle}"
