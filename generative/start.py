"""Where mixtures start: k-means from k-means++ seeds."""

from __future__ import annotations

import torch
from torch import Tensor

from generative.gaussians import chunks


def kmeans(
    x: Tensor,
    k: int,
    weights: Tensor,
    generator: torch.Generator | None = None,
    iterations: int = 20,
) -> tuple[Tensor, Tensor]:
    """Centres (k, D) and the nearest centre of each row (B,) (Lloyd 1982).

    Args:
        x: rows (B, D), at least k.
        k: number of centres.
        weights: of the rows (B,).
        generator: source of the seeds.
        iterations: at most so many steps after seeding.

    >>> x = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    >>> centres, labels = kmeans(x, 2, torch.ones(4))
    >>> centres.sort(0).values.flatten()
    tensor([0.0500, 5.0500])
    """
    centres = seeds(x, k, weights, generator)
    labels = nearest(x, centres)
    for _ in range(iterations):
        count = torch.zeros(k, dtype=x.dtype, device=x.device).index_add_(0, labels, weights)
        total = torch.zeros_like(centres).index_add_(0, labels, x * weights[:, None])
        centres = torch.where(count[:, None] > 0, total / count.clamp(min=1e-30)[:, None], centres)
        before, labels = labels, nearest(x, centres)
        if torch.equal(before, labels):
            break
    return centres, labels


def seeds(x: Tensor, k: int, weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """Rows (k, D), each drawn by its squared distance to those before.

    That is k-means++ (Arthur & Vassilvitskii 2007). Where every row already is a seed,
    the rest are drawn by weight alone.
    """
    chosen = [torch.multinomial(weights, 1, generator=generator)[0]]
    distance = torch.full_like(weights, torch.inf)
    for _ in range(k - 1):
        distance = torch.minimum(distance, (x - x[chosen[-1]]).square().sum(1))
        chance = distance * weights
        chance = torch.where(chance.sum() > 0, chance, weights)
        chosen.append(torch.multinomial(chance / chance.max(), 1, generator=generator)[0])
    return x[torch.stack(chosen)]


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """The index of the nearest centre (B,)."""
    middle = centres.mean(0)  # products about the middle of the data cancel least
    around = centres - middle
    lengths = around.square().sum(1)
    parts = [lengths - 2 * (x[part] - middle) @ around.mT for part in chunks(x)]
    return torch.cat(parts).argmin(1)
