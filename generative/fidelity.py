"""How alike two samples are, by features of their rows: Fréchet and kernel distances, coverage."""

from __future__ import annotations

import torch
from torch import Tensor

from generative.data import wide

_ROWS = 1000  # whose distances to all others are held at once


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Fréchet distance of the Gaussians with the moments of two samples (Heusel et al. 2017, FID).

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½), in float64. Few rows look farther apart than many.

    Args:
        real: features (N, F).
        fake: features (M, F).

    Raises:
        ValueError: if there are fewer than two rows of a kind, or their widths differ.

    >>> x = torch.tensor([[-1.0], [1.0]]).repeat(500, 1)
    >>> round(frechet_distance(x, 3 * x + 2), 2)  # 2² + (3 - 1)², but for N - 1
    8.0
    """
    real, fake = _checked(real, fake)
    first, second = (torch.cov(each.T).reshape(2 * each.shape[1:]) for each in (real, fake))
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    # Σ₁ Σ₂ and Σ₁^½ Σ₂ Σ₁^½ have the same eigenvalues, and the second is symmetric.
    product = torch.linalg.eigvalsh(root @ second @ root)
    shared = product.clamp(min=0).sqrt().sum()
    gap = (real.mean(0) - fake.mean(0)).square().sum()
    return float(gap + first.trace() + second.trace() - 2 * shared)


def kernel_distance(
    real: Tensor,
    fake: Tensor,
    *,
    subsets: int = 50,
    size: int = 1000,
    generator: torch.Generator | None = None,
) -> tuple[float, float]:
    """Squared maximum mean discrepancy with the kernel (x·y / F + 1)³ (Bińkowski et al. 2018, KID).

    Unbiased: 0 in the mean for equal distributions, whatever the number of rows.

    Args:
        real: features (N, F).
        fake: features (M, F).
        subsets: how many pairs of parts are compared.
        size: of a part, at most all rows.
        generator: of the parts.

    Returns:
        Mean and standard deviation over the parts.

    Raises:
        ValueError: if there are fewer than two rows of a kind, or their widths differ.

    >>> x = torch.tensor([[1.0], [1.0]])
    >>> kernel_distance(x, 0 * x, subsets=2)  # (1 + 1)³ + 1 - 2
    (7.0, 0.0)
    """
    real, fake = _checked(real, fake)
    size = min(size, len(real), len(fake))
    found = []
    for _ in range(subsets):
        x, y = (
            each[torch.randperm(len(each), generator=generator, device=each.device)[:size]]
            for each in (real, fake)
        )
        across = _kernel(x, y).mean()
        within = sum(
            (_kernel(each, each).sum() - _kernel_of_equal(each)) / (size * (size - 1))
            for each in (x, y)
        )
        found.append(float(within - 2 * across))
    values = torch.tensor(found, dtype=torch.float64)
    return float(values.mean()), float(values.std(correction=0))


def precision_recall(real: Tensor, fake: Tensor, neighbours: int = 3) -> tuple[float, float]:
    """Shares of fake rows among real ones, and of real among fake (Kynkäänniemi et al. 2019).

    A row is among others if it is no farther from one of them than its k-th neighbour is.

    Args:
        real: features (N, F).
        fake: features (M, F); as many as real ones, for shares that can be compared.
        neighbours: k.

    Returns:
        Precision (are samples good?) and recall (is everything sampled?).

    Raises:
        ValueError: if there are no more than k rows of a kind, or their widths differ.

    >>> x = torch.arange(8.0)[:, None]
    >>> precision_recall(x, x[:4], neighbours=1)
    (1.0, 0.625)
    """
    if not 1 <= neighbours < min(len(real), len(fake)):
        raise ValueError(
            f"precision_recall was given neighbours={neighbours} and {len(real)} and {len(fake)} "
            "rows; expected at least 1, and more rows than that."
        )
    real, fake = (each.float() for each in _checked(real, fake))
    return _share_among(fake, real, neighbours), _share_among(real, fake, neighbours)


def modes_found(samples: Tensor, modes: Tensor, radius: float) -> tuple[int, float]:
    """How many modes have samples near them, and the share of samples that are near one.

    Args:
        samples: (N, D).
        modes: (M, D).
        radius: what is near; 3 standard deviations of a mode are usual.

    >>> modes_found(torch.tensor([[0.0], [0.1], [5.0]]), torch.tensor([[0.0], [9.0]]), 0.3)
    (1, 0.666...)
    """
    distances, which = torch.cdist(samples, modes.to(samples)).min(1)
    near = distances <= radius
    return len(torch.unique(which[near])), float(near.double().mean())


def _share_among(x: Tensor, y: Tensor, neighbours: int) -> float:
    """The share of rows x that lie in a ball around a y that reaches to its k-th neighbour."""
    # The first neighbour is the row itself.
    reach = [torch.cdist(part, y).kthvalue(neighbours + 1).values for part in _parts(y)]
    radius = torch.cat(reach)
    inside = [(torch.cdist(part, y) <= radius).any(1) for part in _parts(x)]
    return float(torch.cat(inside).double().mean())


def _parts(x: Tensor) -> list[Tensor]:
    return [x[start : start + _ROWS] for start in range(0, len(x), _ROWS)]


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _kernel_of_equal(x: Tensor) -> Tensor:
    """The sum of the kernel's diagonal."""
    return ((x.square().sum(1) / x.shape[1] + 1) ** 3).sum()


def _checked(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    if min(real.dim(), fake.dim()) != 2 or real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            f"Features have the shapes {tuple(real.shape)} and {tuple(fake.shape)}; expected "
            "(N, F) and (M, F)."
        )
    if min(len(real), len(fake)) < 2:
        raise ValueError(
            f"Two samples of {len(real)} and {len(fake)} rows were compared; give 2 or more."
        )
    return wide(real), wide(fake)
