"""What a recording looks like; apart from :mod:`gail.rendering` because it imports nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Film:
    """What a recording looks like."""

    episodes: int = 1
    """Episodes, one after another."""
    steps: int = 1000
    """Environment steps of an episode at most."""
    size: int = 480
    """Width and height of one side in pixels."""
    every: int = 2
    """Draw every k-th step."""
    fps: float | None = None
    """Frames a second; None plays in real time."""
    seed: int = 10_000
    """Episode i is reset with seed + i."""
    name: str = "imitator"
    """Caption of the policy."""
    beside_name: str = "expert"
    """Caption of what is shown beside it."""
