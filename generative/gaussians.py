"""K Gaussians side by side: densities, factorisations and draws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from generative.data import wide

Covariance = Literal["full", "tied", "diagonal", "spherical"]

CPU_ROWS = 1024  # rows worked on at once: their temporaries stay in the cache
DEVICE_ROWS = 65536  # elsewhere few large steps are faster


def chunks(x: Tensor, times: int = 1) -> Iterator[slice]:
    """Slices of rows of a size that suits the device, or some times that size."""
    size = times * (CPU_ROWS if x.device.type == "cpu" else DEVICE_ROWS)
    return (slice(start, start + size) for start in range(0, len(x), size))


@dataclass(frozen=True)
class Gaussians:
    """Weighted Gaussians, each held by its mean and the matrix A that whitens it.

    The covariance is (AᵀA)⁻¹; A is the inverse of its lower Cholesky factor. Holding A and not the
    covariance keeps what a density needs to full precision even where a variance is tiny.

    Attributes:
        weights: (K,), of sum 1.
        means: (K, D).
        whiteners: A, as (K, D, D) if full, (D, D) if tied, (K, D) if diagonal, (K,) if spherical.
        kind: of the covariances.
    """

    weights: Tensor
    means: Tensor
    whiteners: Tensor
    kind: Covariance

    def log_joint(self, x: Tensor) -> Tensor:
        """Log of weight times density (B, K) of rows (B, D)."""
        return self.offsets() - squared_distances(x, self.means, self.whiteners, self.kind) / 2

    def offsets(self) -> Tensor:
        """What a log-density has besides its squared distance (K,)."""
        return self.weights.log() + self.log_det() - self.means.shape[1] / 2 * math.log(2 * math.pi)

    def log_det(self) -> Tensor:
        """Log-determinants of the whiteners (K,), or () if tied."""
        match self.kind:
            case "full" | "tied":
                return self.whiteners.diagonal(dim1=-2, dim2=-1).log().sum(-1)
            case "diagonal":
                return self.whiteners.log().sum(-1)
            case "spherical":
                return self.means.shape[1] * self.whiteners.log()

    def factors(self) -> Tensor:
        """Lower Cholesky factors (K, D, D) of the covariances, or (D, D) if tied."""
        match self.kind:
            case "full" | "tied":
                return inverse_triangular(self.whiteners)
            case "diagonal":
                return torch.diag_embed(1 / self.whiteners)
            case "spherical":
                return torch.diag_embed((1 / self.whiteners)[:, None].expand_as(self.means))

    def covariances(self) -> Tensor:
        """Covariance matrices (K, D, D), whatever the kind."""
        factors = self.factors().expand(len(self.means), -1, -1)
        return factors @ factors.mT

    def wide(self) -> Gaussians:
        """The same in the widest float of the device."""
        return Gaussians(wide(self.weights), wide(self.means), wide(self.whiteners), self.kind)

    def to(self, like: Tensor) -> Gaussians:
        """The same in the precision and on the device of a tensor."""
        return Gaussians(
            self.weights.to(like), self.means.to(like), self.whiteners.to(like), self.kind
        )

    def free_parameters(self) -> int:
        """How many numbers may be chosen."""
        k, d = self.means.shape
        matrix = d * (d + 1) // 2
        shapes = {"full": k * matrix, "tied": matrix, "diagonal": k * d, "spherical": k}
        return k - 1 + k * d + shapes[self.kind]

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw rows (n, D), each from a component drawn by weight."""
        choice = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(
            (n, self.means.shape[1]),
            generator=generator,
            dtype=self.means.dtype,
            device=self.means.device,
        )
        factors = self.factors()
        x = torch.empty_like(noise)
        for k in range(len(self.means)):
            here = choice == k
            factor = factors if self.kind == "tied" else factors[k]
            x[here] = self.means[k] + noise[here] @ factor.mT
        return x


def log_joint(mixture: Gaussians, x: Tensor) -> Tensor:
    """Log of weight times density (B, K) of any number of rows (B, D), in chunks."""
    return torch.cat([mixture.log_joint(x[part]) for part in chunks(x, times=4)])


def squared_distances(x: Tensor, means: Tensor, whiteners: Tensor, kind: Covariance) -> Tensor:
    """Mahalanobis distances, squared (B, K).

    Each component subtracts its mean before it whitens: the other order is one large product
    but cancels, and in float32 fails for narrow components far from the origin.
    """
    columns = []
    middle = means.mean(0)
    tied = (x - middle) @ whiteners.mT if kind == "tied" else x
    for k, mean in enumerate(means):
        match kind:
            case "full":
                z = (x - mean) @ whiteners[k].mT
            case "tied":
                z = tied - whiteners @ (mean - middle)
            case _:
                z = (x - mean) * whiteners[k]
        columns.append(torch.linalg.vector_norm(z, dim=1))  # without a copy of all squares
    return torch.stack(columns, 1).square()


def whiteners_of(covariances: Tensor, kind: Covariance, floor: float) -> Tensor:
    """Inverse Cholesky factors of covariances that are known to be at least ``floor``.

    Rounding can leave a covariance whose smallest eigenvalue is below what was added to its
    diagonal, even below 0; such eigenvalues are lifted to the floor.

    Args:
        covariances: as the whiteners in :class:`Gaussians`.
        kind: of the covariances.
        floor: the smallest variance in any direction.

    Raises:
        ValueError: if a covariance is singular and the floor is 0.
    """
    if kind in ("diagonal", "spherical"):
        variances = covariances.clamp(min=floor)
        if not (variances > 0).all():
            raise ValueError(_singular(int((variances <= 0).nonzero()[0, 0])))
        scales: Tensor = variances.rsqrt()
        return scales
    factors, failed = torch.linalg.cholesky_ex(covariances)
    if failed.any():
        factors = _lifted(covariances, floor)
    return inverse_triangular(factors)


def _lifted(covariances: Tensor, floor: float) -> Tensor:
    """Cholesky factors after raising small eigenvalues."""
    values, vectors = torch.linalg.eigh(covariances)
    largest = values[..., -1:].clamp(min=floor)
    rounding = torch.finfo(values.dtype).eps * values.shape[-1] * largest
    values = torch.maximum(values, rounding.clamp(min=floor)) if floor > 0 else values
    factors: Tensor
    factors, failed = torch.linalg.cholesky_ex((vectors * values[..., None, :]) @ vectors.mT)
    if failed.any():
        raise ValueError(_singular(int(failed.reshape(-1).nonzero()[0])))
    return factors


def _singular(component: int) -> str:
    return (
        f"Component {component} has a singular covariance; raise the regularisation, use fewer "
        "components, or drop dimensions that depend on others (Whiten)."
    )


def inverse_triangular(lower: Tensor) -> Tensor:
    """The inverse (..., D, D) of lower triangular matrices."""
    identity = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device)
    inverse: Tensor
    inverse = torch.linalg.solve_triangular(lower, identity.expand_as(lower), upper=False)
    return inverse
