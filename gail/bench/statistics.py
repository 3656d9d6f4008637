"""Statistics of scores that say how sure they are (Agarwal et al. 2021, arXiv 2108.13264)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
RESAMPLES = 2000


def iqm(values: ArrayLike) -> float:
    """Interquartile mean: the mean of the middle half.

    As in rliable, a quarter of the values, rounded down to whole ones, is left out on each side.

    Args:
        values: at least one, in any shape.

    >>> iqm([0.0, 1.0, 2.0, 99.0])
    1.5
    """
    ordered = np.sort(np.asarray(values, np.float64), axis=None)
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def mean(values: ArrayLike) -> float:
    """The mean of all values."""
    return float(np.mean(np.asarray(values, np.float64)))


def bootstrap_interval(
    strata: Sequence[Sequence[ArrayLike]],
    statistic: Callable[[Values], float],
    generator: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a statistic under stratified resampling.

    Within each stratum as many runs as there are are drawn with replacement, then as many episodes
    of each of them; the statistic is of all episodes drawn. Runs with one value each give the
    stratified bootstrap of Agarwal et al. (2021, Section 4.1). With one run in a stratum the
    interval tells nothing about other seeds.

    Args:
        strata: strata (environments) of runs of episodes' scores, (S, R, E), R and E may differ.
        statistic: of the scores drawn, (n,).
        generator: draws; no global random state is read or changed.
        resamples: how often.
        confidence: probability inside the interval.

    Raises:
        ValueError: a stratum without runs or a run without episodes.

    >>> bootstrap_interval([[[3.0, 3.0]]], mean, np.random.default_rng(0))
    (3.0, 3.0)
    """
    runs = [[np.asarray(run, np.float64) for run in stratum] for stratum in strata]
    if not runs or not all(stratum and all(map(len, stratum)) for stratum in runs):
        raise ValueError("Every stratum needs a run and every run an episode.")
    drawn = [statistic(_resampled(runs, generator)) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def _resampled(strata: list[list[Values]], generator: np.random.Generator) -> Values:
    """One draw: runs within each stratum, episodes within each run."""
    parts = []
    for stratum in strata:
        for index in generator.integers(len(stratum), size=len(stratum)):
            run = stratum[index]
            parts.append(run[generator.integers(len(run), size=len(run))])
    return np.concatenate(parts)


def steps_to(curve: Sequence[tuple[float, float]], threshold: float) -> float | None:
    """The first steps at which a curve is at or above a threshold, None if it never is.

    Args:
        curve: steps and scores, by steps.
        threshold: in the scores' unit.

    >>> steps_to([(0, 0.1), (100, 0.95), (200, 0.8)], 0.9)
    100
    """
    return next((step for step, score in curve if score >= threshold), None)
