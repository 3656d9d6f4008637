"""The better half of a set of episodes, found without knowing which are bad.

The minimum covariance determinant (Rousseeuw & Van Driessen 1999) on whole episodes: among all
halves, the one that a Gaussian describes best. A quarter of random episodes cannot move it, while
a model fitted to everything would learn them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from generative.data import wide


class Sums(NamedTuple):
    """What a Gaussian needs of each episode."""

    steps: Tensor  # (E,)
    first: Tensor  # (E, D)
    second: Tensor  # (E, D, D)


def sums_of(episodes: Sequence[Tensor]) -> Sums:
    """Counts and moments of rows (T_i, D) of each episode."""
    rows = [wide(each) for each in episodes]
    return Sums(
        torch.tensor([float(len(each)) for each in rows], dtype=rows[0].dtype),
        torch.stack([each.sum(0) for each in rows]),
        torch.stack([each.mT @ each for each in rows]),
    )


def energies(sums: Sums, chosen: Tensor, regularisation: float = 0.01) -> Tensor:
    """Mean surprise (E,) of each episode's rows under the Gaussian of the chosen episodes.

    It is the mean of (x - m)' S^-1 (x - m) + log det S, up to constants, for each episode.

    Args:
        sums: of all episodes.
        chosen: their numbers.
        regularisation: added to the variances.
    """
    total = sums.steps[chosen].sum()
    mean = sums.first[chosen].sum(0) / total
    covariance = sums.second[chosen].sum(0) / total - mean[:, None] * mean
    covariance += regularisation * torch.eye(len(mean), dtype=mean.dtype)
    factor = torch.linalg.cholesky(covariance)
    precision = torch.cholesky_inverse(factor)
    own = sums.first / sums.steps[:, None]
    spread = (sums.second * precision).sum((1, 2)) / sums.steps
    distance = spread - 2 * own @ precision @ mean + mean @ precision @ mean
    surprise: Tensor = distance + 2 * factor.diagonal().log().sum()
    return surprise


def better_half(
    episodes: Sequence[Tensor], starts: int = 50, generator: torch.Generator | None = None
) -> list[int]:
    """Numbers of the half of the episodes that one Gaussian describes best.

    Args:
        episodes: rows (T_i, D), of any lengths, scaled.
        starts: random pairs of episodes that concentration begins from.
        generator: of the starts.

    >>> good = [torch.randn(50, 2, generator=torch.Generator().manual_seed(i)) for i in range(5)]
    >>> better_half([*good, *(each + 9 for each in good[:3])])
    [0, 1, 2, 3, 4]
    """
    sums, count = sums_of(episodes), len(episodes)
    half = count // 2 + 1
    best, chosen = float("inf"), torch.arange(count)
    for _ in range(starts):
        order = torch.randperm(count, generator=generator)
        picked, value = _concentrate(sums, order[: min(2, count)], half)
        if value < best:
            best, chosen = value, picked
    return sorted(chosen.tolist())


def _concentrate(sums: Sums, chosen: Tensor, half: int, steps: int = 20) -> tuple[Tensor, float]:
    """C-steps: the half that is described best by the Gaussian of the present one."""
    value = float("inf")
    for _ in range(steps):
        surprise = energies(sums, chosen)
        chosen = surprise.argsort()[:half]
        now = float(surprise[chosen].mean())
        if now >= value - 1e-9:
            break
        value = now
    return chosen, value
