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
    if not strata or not all(len(stratum) and all(map(np.size, stratum)) for stratum in strata):
        raise ValueError("Every stratum needs a run and every run an episode.")
    pools = [_Pool(stratum, generator) for stratum in strata]
    drawn = [statistic(np.concatenate([pool.draw() for pool in pools])) for _ in range(resamples)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


class _Pool:
    """One stratum's runs, one after another."""

    def __init__(self, runs: Sequence[ArrayLike], generator: np.random.Generator) -> None:
        arrays = [np.asarray(run, np.float64).ravel() for run in runs]
        self.values, self.generator = np.concatenate(arrays), generator
        self.lengths = np.array([len(array) for array in arrays])
        self.starts = np.cumsum(self.lengths) - self.lengths

    def draw(self) -> Values:
        """As many runs, and of each as many episodes, as there are."""
        runs = self.generator.integers(len(self.lengths), size=len(self.lengths))
        lengths = self.lengths[runs]
        starts, sizes = np.repeat(self.starts[runs], lengths), np.repeat(lengths, lengths)
        return self.values[starts + self.generator.integers(sizes)]


def steps_to(curve: Sequence[tuple[float, float]], threshold: float) -> float | None:
    """The first steps at which a curve is at or above a threshold, None if it never is.

    Args:
        curve: steps and scores, by steps.
        threshold: in the scores' unit.

    >>> steps_to([(0, 0.1), (100, 0.95), (200, 0.8)], 0.9)
    100
    """
    return next((step for step, score in curve if score >= threshold), None)
