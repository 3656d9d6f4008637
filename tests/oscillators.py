"""Episodes of a noisy oscillator, whose sensors tell of one another: for audits and repairs."""

from __future__ import annotations

import numpy as np

from gail.demonstrations import Demonstrations, Episode

WIDTH, ACTIONS = 6, 2


def oscillation(seed: int, steps: int = 120, pace: float = 0.2, noise: float = 0.02) -> Episode:
    """Six sensors of a phase that advances by ``pace`` a step; two actions are functions of it.

    Two sensors are constant through the episode: the number 3, and 0.
    """
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * np.pi) + pace * np.arange(steps + 1)
    waves = [np.sin(phase), np.cos(phase), np.sin(phase + 1), np.cos(phase + 2)]
    still = [np.full_like(phase, 3.0), np.zeros_like(phase)]
    observations = np.stack(waves, 1) + noise * random.normal(size=(steps + 1, 4))
    observations = np.concatenate([observations, np.stack(still, 1)], 1)
    actions = np.stack([np.sin(phase + 0.5), np.cos(phase - 0.5)], 1)[:-1]
    actions = actions + noise * random.normal(size=actions.shape)
    return Episode(
        observations.astype(np.float32), actions.astype(np.float32), np.ones(steps), seed=seed
    )


def oscillations(count: int, first: int = 0, **options: float) -> list[Episode]:
    """Episodes with seeds from ``first`` on."""
    return [oscillation(first + i, **options) for i in range(count)]  # type: ignore[arg-type]


def demonstrations(count: int = 20, first: int = 0) -> Demonstrations:
    """The same as demonstrations of no known task."""
    return Demonstrations.from_episodes(oscillations(count, first), name="oscillations")
