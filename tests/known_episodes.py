"""The episodes in every file under ``fixtures``, as numbers anyone can recompute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gail.demonstrations import Demonstrations, Episode
from gail.errors import DemonstrationError

OBSERVATION_WIDTH, ACTION_WIDTH = 3, 2
# (steps, terminated): the last one is as long as the time limit and terminates all the same.
ENDS = ((5, False), (3, True), (5, True))


def known_episode(index: int, steps: int, terminated: bool, *, rewards: bool = True) -> Episode:
    """Values that float32 holds exactly and that differ in every row."""
    time = np.arange(steps + 1, dtype=np.float32)[:, None]
    observations = index * 8 + time + np.arange(OBSERVATION_WIDTH, dtype=np.float32) / 4
    actions = ((time[:-1] + np.arange(ACTION_WIDTH) + index) % 5 / 2 - 1).astype(np.float32)
    return Episode(
        observations,
        actions,
        np.arange(steps, dtype=np.float32) / 2 if rewards else None,
        terminated,
        not terminated,
        seed=1000 + index,
    )


def known_episodes(*, rewards: bool = True) -> list[Episode]:
    """All of them."""
    return [known_episode(i, *end, rewards=rewards) for i, end in enumerate(ENDS)]


def known_demonstrations(*, rewards: bool = True) -> Demonstrations:
    """The same as demonstrations of a task that Gymnasium knows by this id."""
    return Demonstrations.from_episodes(
        known_episodes(rewards=rewards),
        env_id="Pendulum-v1",
        mujoco_version="4.0.0",
        name="known",
    )


def known_arrays() -> dict[str, np.ndarray]:
    """The same under the names of this project's own files."""
    known = known_demonstrations()
    fields = ("observations", "actions", "rewards", "lengths", "terminated", "truncated")
    return {field: np.array(getattr(known, field)) for field in fields}


def refused(path: Path | str, sentence: str, **options: Any) -> None:
    """Loading must end in one sentence that matches and names the file."""
    with pytest.raises(DemonstrationError, match=sentence) as caught:
        Demonstrations.load(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400
    assert Path(path).name in text
