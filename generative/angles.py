"""The angle θ between a von Mises-Fisher point and its mean direction: draws, and derivatives.

Its density on [0, π] is proportional to sin(θ)^(d-2) exp(κ cos θ). Draws come from rejection, and
move with κ by the implicit derivative

    dθ/dκ = -(∂F/∂κ)(θ) / p(θ),        ∂F/∂κ = ∫_0^θ (cos φ - E cos) p(φ) dφ,

of the distribution function F (Figurnov et al. 2018, "Implicit reparameterization gradients").
That is the derivative of an exact sampler by inversion, whatever sampler was used, so rejected
proposals need no correction term (which the gradients of Davidson et al. 2018, arXiv 1804.00891,
have, and which multiplies the noise of E f by a score).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

_NODES = 20
_REACH = 10.0  # standard deviations of the angle beyond which its density is not integrated
_LEAST = 1e-30  # an angle of 0, which can be drawn, has no logarithm of its sine


def angles(
    kappa: Tensor, cosine: Tensor, dimension: int, generator: torch.Generator | None = None
) -> Tensor:
    """Draws of θ that carry gradients to κ.

    Args:
        kappa: κ >= 0 of any shape, in the widest float.
        cosine: E cos θ, of the same shape.
        dimension: d >= 2.
        generator: source of randomness.
    """
    drawn: Tensor = _Angles.apply(kappa, cosine, dimension, generator)  # type: ignore[no-untyped-call]
    return drawn


class _Angles(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kappa: Tensor, cosine: Tensor, dimension: int, generator: torch.Generator | None
    ) -> Tensor:
        angle = draw_angles(kappa.flatten(), dimension, generator).reshape(kappa.shape)
        ctx.save_for_backward(angle, kappa, cosine)
        ctx.dimension = dimension
        return angle

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        angle, kappa, cosine = ctx.saved_tensors
        return grad * angle_slope(angle, kappa, cosine, ctx.dimension), None, None, None


def draw_angles(kappa: Tensor, dimension: int, generator: torch.Generator | None) -> Tensor:
    """Angles (N,) to μ of von Mises-Fisher points, by rejection (Ulrich 1984; Wood 1994).

    A proposal is a uniform point of the sphere moved towards μ by the Möbius map that takes its
    cosine c to (c + a) / (1 + a c), with a = 2κ / (d - 1 + sqrt(4κ² + (d - 1)²)). Written so, and
    for 1 - cos θ, nothing cancels at any d and κ; κ = 0 accepts everything.

    Args:
        kappa: κ >= 0 (N,).
        dimension: d >= 2.
        generator: source of randomness.
    """
    freedom = dimension - 1
    root = (4 * kappa.square() + freedom**2).sqrt()
    pull, rest = 2 * kappa / (freedom + root), 2 * freedom / (freedom + 2 * kappa + root)
    gaps = torch.empty_like(kappa)  # 1 - cos θ (N,)
    pending = torch.arange(len(kappa), device=kappa.device)
    while len(pending):
        c, chance = _uniform_cosines(len(pending), dimension, kappa, generator)
        product = pull[pending] * c
        gaps[pending] = rest[pending] * (1 - c) / (1 + product)
        log_accept = freedom * (product / (1 + product) - product.log1p())
        pending = pending[chance.log() > log_accept]  # a κ that is not finite gives NaN and ends
    return 2 * (gaps / 2).clamp(0, 1).sqrt().asin()


def _uniform_cosines(
    n: int, dimension: int, like: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """First coordinates (n,) of uniform points of the sphere, and uniform numbers (n,).

    Two coordinates of such a point have a uniform direction and a squared length r² with
    P(r² > v) = (1 - v)^((d-2)/2), by which Ulrich (1984) draws symmetric beta variables.
    """
    length, turn, chance = torch.rand(
        3, n, generator=generator, dtype=like.dtype, device=like.device
    )
    power = 2 / (dimension - 2) if dimension > 2 else math.inf
    return (-torch.expm1(length.log() * power)).sqrt() * (2 * math.pi * turn).cos(), chance


def angle_slope(angle: Tensor, kappa: Tensor, cosine: Tensor, dimension: int) -> Tensor:
    """dθ/dκ at given angles (...), by Gauss-Legendre quadrature of one tail.

    Of the two tails the one is taken in which cos φ - E cos has one sign, so that nothing
    cancels; it is cut where the density has become negligible.

    >>> slope = angle_slope(*torch.tensor([1.0, 0.0, 0.0]).double(), dimension=3)
    >>> print(f"{slope:.6f}")  # in R³, -sin(θ) / 2 where κ = 0
    -0.420735
    """
    angle = angle.clamp(min=_LEAST)
    inner = angle.cos() > cosine
    spread = (1 - cosine.square()).clamp(min=_LEAST)
    precision = (dimension - 2) / spread + kappa * cosine  # of θ, nearly
    reach = _REACH * precision.rsqrt()
    end = torch.where(inner, (angle - reach).clamp(min=0), (angle + reach).clamp(max=math.pi))
    nodes, weights = (torch.from_numpy(part).to(angle) for part in _legendre())
    phi = torch.lerp(angle[..., None], end[..., None], nodes)  # (..., nodes)
    log_density = _log_density(phi, kappa[..., None], dimension)
    log_ratio = log_density - _log_density(angle, kappa, dimension)[..., None]
    tail = ((phi.cos() - cosine[..., None]).abs() * log_ratio.exp()) @ weights
    return -tail * (end - angle).abs()


def _log_density(angle: Tensor, kappa: Tensor, dimension: int) -> Tensor:
    """κ (cos θ - 1) + (d - 2) log sin θ."""
    return (dimension - 2) * angle.sin().log() - 2 * kappa * (angle / 2).sin().square()


@lru_cache(maxsize=1)
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights of Gauss-Legendre quadrature on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2
