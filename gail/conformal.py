"""Thresholds with a stated rate of false alarms, from scores of data that are known to be good.

Conformal prediction (Vovk et al. 2005; Bates et al. 2023 for outliers): if a new score and those
it is compared with could be exchanged, the new one exceeds the threshold with probability
``rate`` at most, whatever the distribution. High scores are strange.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]


def needed(rate: float) -> int:
    """How many known scores a false-alarm rate asks for.

    Raises:
        ValueError: if the rate is not between 0 and 1.

    >>> needed(0.05), needed(0.5)
    (19, 1)
    """
    if not 0 < rate < 1:
        raise ValueError(f"The false-alarm rate is {rate}; give a number between 0 and 1.")
    return math.ceil(1 / rate - 1e-9) - 1


def smallest_rate(count: int) -> float:
    """The least false-alarm rate that so many known scores allow, rounded up to three digits.

    >>> smallest_rate(19), smallest_rate(3)
    (0.05, 0.25)
    """
    return math.ceil(1000 / (count + 1) - 1e-9) / 1000


def threshold(known: Scores, rate: float) -> float:
    """The value that a new score exceeds with probability ``rate`` at most.

    Args:
        known: (n,) scores of good data.
        rate: of false alarms.

    Returns:
        The ceil((n + 1)(1 - rate))-th smallest known score; infinity where n is too small.

    >>> threshold(np.arange(1.0, 20.0), 0.05), threshold(np.arange(1.0, 10.0), 0.05)
    (19.0, inf)
    """
    if len(known) < needed(rate):
        return math.inf
    rank = math.ceil((len(known) + 1) * (1 - rate) - 1e-9)
    return float(np.sort(known)[max(rank, 1) - 1])


def p_value(exceeding: int, known: int) -> float:
    """Probability of at least this score in good data (1 + #{known >= score}) / (n + 1).

    >>> p_value(0, 19)
    0.05
    """
    return (1 + exceeding) / (known + 1)


def gross(scores: Scores, factor: float = 6.0) -> NDArray[np.bool_]:
    """Which scores are so far above the others that they must not set a threshold.

    Those further above the median than ``factor`` times the distance from the median to the
    lowest. As long as most of the data are good, neither median nor minimum follows the bad ones.

    Args:
        scores: (n,).
        factor: 6 takes one good score in ten thousand for gross where scores are maxima of many
            (Gumbel distributed), fewer where they are symmetric.

    >>> gross(np.array([1.0, 2.0, 3.0, 4.0, 40.0])).tolist()
    [False, False, False, False, True]
    """
    middle = np.median(scores)
    return np.asarray(scores > middle + factor * (middle - scores.min()))
