"""The conjugate prior of a Gaussian, normal-Wishart, for K components side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from generative.gaussians import inverse_triangular
from generative.moments import Moments


@dataclass(frozen=True)
class Sums:
    """What components hold of the data: plain sums about a common origin, which add up.

    Attributes:
        count: (K,).
        first: sums of rows (K, D).
        second: sums of outer products (K, D, D).
    """

    count: Tensor
    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, moments: Moments, origin: Tensor) -> Sums:
        """From moments about each component's own centre."""
        gap = moments.centres.to(origin) - origin
        cross = moments.first[:, :, None] * gap[:, None, :]
        count = moments.count[:, None]
        outer = count[:, :, None] * gap[:, :, None] * gap[:, None, :]
        return cls(
            moments.count, moments.first + count * gap, moments.second + cross + cross.mT + outer
        )

    def __getitem__(self, index: Tensor | slice) -> Sums:
        """Those of some components."""
        return Sums(self.count[index], self.first[index], self.second[index])

    def __add__(self, other: Sums) -> Sums:
        """Those of components that are taken together."""
        return Sums(self.count + other.count, self.first + other.first, self.second + other.second)


@dataclass(frozen=True)
class Prior:
    """Normal-Wishart: Λ ~ W(S⁻¹, ν), μ given Λ ~ N(origin, (β Λ)⁻¹) (Bishop 2006, eq. 10.40).

    Attributes:
        origin: prior mean (D,), float64; all sums are about it.
        precision: β, in rows.
        freedom: ν, above D - 1.
        scale: S (D, D).
    """

    origin: Tensor
    precision: float
    freedom: float
    scale: Tensor

    def posterior(self, sums: Sums) -> Posterior:
        """What is believed after the data (Bishop 2006, eqs. 10.60-10.63)."""
        precision = self.precision + sums.count
        shift = sums.first / precision[:, None]
        scale = self.scale + sums.second - sums.first[:, :, None] * shift[:, None, :]
        factors = torch.linalg.cholesky((scale + scale.mT) / 2)
        return Posterior(precision, self.freedom + sums.count, shift + self.origin, factors)

    def evidence(self, sums: Sums) -> Tensor:
        """Log of the probability of each component's data, were they its own (K,)."""
        d = len(self.origin)
        none = Sums(
            self.origin.new_zeros(1), self.origin.new_zeros(1, d), self.origin.new_zeros(1, d, d)
        )
        ratio = self.posterior(sums).log_normaliser() - self.posterior(none).log_normaliser()
        return ratio - d / 2 * math.log(2 * math.pi) * sums.count


@dataclass(frozen=True)
class Posterior:
    """Normal-Wishart beliefs about K Gaussians.

    Attributes:
        precision: β (K,).
        freedom: ν (K,).
        means: (K, D).
        factors: lower Cholesky factors (K, D, D) of S.
    """

    precision: Tensor
    freedom: Tensor
    means: Tensor
    factors: Tensor

    def log_det(self) -> Tensor:
        """log |S| (K,)."""
        return 2 * self.factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_normaliser(self) -> Tensor:
        """Log of the normalising constant (K,), without powers of 2π, which cancel."""
        d, nu = self.means.shape[1], self.freedom
        volume = nu * d / 2 * math.log(2) + torch.mvlgamma(nu / 2, d)
        return volume - d / 2 * self.precision.log() - nu / 2 * self.log_det()

    def expected_constants(self) -> Tensor:
        """E log N(x) without its squared distance (K,) (Bishop 2006, eqs. 10.64-10.65)."""
        d = self.means.shape[1]
        halves = (self.freedom[:, None] - torch.arange(d, device=self.freedom.device)) / 2
        log_det = torch.digamma(halves).sum(1) + d * math.log(2) - self.log_det()
        return (log_det - d / self.precision - d * math.log(2 * math.pi)) / 2

    def expected_whiteners(self) -> Tensor:
        """A with E (x - μ)ᵀ Λ (x - μ) = |A (x - mean)|² + D / β (K, D, D)."""
        return self.freedom.sqrt()[:, None, None] * inverse_triangular(self.factors)
