"""Modified Bessel functions of the first kind, as the partition function on a sphere.

For t the cosine to a fixed direction of a uniform point on the unit sphere of R^d, with the order
ν = d/2 - 1,

    E exp(κ t) = Γ(d/2) (2/κ)^ν I_ν(κ)        and        d/dκ log E exp(κ t) = I_ν+1(κ) / I_ν(κ).

Both are computed for every κ >= 0 in the same few steps: at an order of at least 16 by Debye's
expansion, whose error there is below rounding for all κ at once (DLMF 10.41.3), and from there
down to ν by the recurrence I_ν = I_ν+2 + 2 (ν + 1) / κ I_ν+1, which is stable downwards. Written
for ρ_ν = I_ν+1 / (κ I_ν) it neither divides by κ nor subtracts:

    ρ_ν = 1 / (2 (ν + 1) + κ² ρ_ν+1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Polynomial
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from generative.data import wide

_ORDER = 16  # the least order that is expanded
_TERMS = 12


def log_partition(dimension: int, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """log E exp(κ t) over uniform points of the sphere, and its slope, the mean cosine.

    Args:
        dimension: d >= 2 of the space that the unit sphere lies in.
        kappa: κ >= 0 of any shape.

    Returns:
        log E exp(κ t) and I_{d/2}(κ) / I_{d/2-1}(κ), in the widest float of the device. Both can
        be differentiated once.

    >>> log_mean, cosine = log_partition(3, torch.tensor(2.0))  # in R³: sinh κ / κ, coth κ - 1 / κ
    >>> print(f"{log_mean:.4f}, {cosine:.4f}")
    0.5952, 0.5373
    """
    log_mean, cosine = _Partition.apply(wide(kappa), dimension)  # type: ignore[no-untyped-call]
    return log_mean, cosine


class _Partition(torch.autograd.Function):
    """log E exp(κ t) and its slope; the second derivative, the variance of t, is kept for later."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, dimension: int) -> tuple[Tensor, Tensor]:
        order = dimension / 2 - 1
        shift = max(0, math.ceil(_ORDER - order))
        log_mean, ratio, variance = _expanded(order + shift, kappa)
        squared = kappa.square()
        for step in reversed(range(shift)):
            twice = 2 * (order + step + 1)
            log_mean = log_mean + torch.log1p(squared * ratio / twice)
            ratio = 1 / (twice + squared * ratio)
            variance = ratio.square() * (twice - squared * variance)
        cosine = kappa * ratio
        ctx.save_for_backward(cosine, variance)
        return log_mean, cosine

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        cosine, variance = ctx.saved_tensors
        return grads[0] * cosine + grads[1] * variance, None


def _expanded(order: float, kappa: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log E exp(κ t), ρ and the variance of t at a high order N, by Debye's expansion.

    With s = sqrt(1 + (κ/N)²), the logarithm is N (s - 1 - log((1 + s)/2)) - log(s)/2 +
    log(P(1/s) / P(1)); ρ is its derivative over κ, the variance its second derivative. Their
    differences are written out, so that small κ and large κ keep their digits.
    """
    series = _debye(order)
    z = kappa / order
    root = (1 + z.square()).sqrt()
    p, excess = 1 / root, z.square() / (1 + root)  # excess: root - 1
    powers = p[..., None] ** torch.arange(len(series.columns), device=p.device)
    value, first, second, quotient = (powers @ torch.as_tensor(series.columns).to(p)).unbind(-1)
    correction = torch.log1p(-excess * p * quotient / series.at_one)
    log_mean = order * (excess - torch.log1p(excess / 2)) - torch.log1p(excess) / 2 + correction
    slope = p**3 * first / value
    scaled = 3 * slope + p**4 * (second / value - (first / value).square())  # p d(slope)/dp
    rest = slope - (excess * (2 + excess) * p.square()) * scaled
    ratio = (order / (1 + root) - p.square() / 2 - slope) / order**2
    variance = (order * p / (1 + root) + p.square() * (0.5 - p.square()) - rest) / order**2
    return log_mean, ratio, variance


@dataclass(frozen=True)
class _Debye:
    """P(p) = Σ_k U_k(p) / N^k of the expansion of I_N.

    Attributes:
        columns: coefficients, lowest power first, of P, P', P'' and (P(p) - P(1)) / (p - 1).
        at_one: P(1).
    """

    columns: NDArray[np.float64]
    at_one: float


@lru_cache(maxsize=64)
def _debye(order: float) -> _Debye:
    """U_k+1 = p² (1 - p²) U_k' / 2 + ∫_0^p (1 - 5 t²) U_k dt / 8, U_0 = 1 (DLMF 10.41.9)."""
    p = Polynomial([0, 1])
    term = total = Polynomial([1])
    for k in range(1, _TERMS + 1):
        integral = ((1 - 5 * p**2) * term).integ()
        term = p**2 * (1 - p**2) * term.deriv() / 2 + integral / 8
        total = total + term / order**k
    at_one = float(total(1))
    parts = (total, total.deriv(), total.deriv(2), (total - at_one) // (p - 1))
    width = len(total.coef)
    columns = [np.pad(part.coef, (0, width - len(part.coef))) for part in parts]
    return _Debye(np.stack(columns, 1), at_one)
