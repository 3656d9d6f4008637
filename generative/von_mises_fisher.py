"""The von Mises-Fisher distribution on the unit sphere of R^d.

The density is proportional to exp(κ μ·x). A point is drawn as

    x = cos θ μ + sin θ n,        n uniform on the unit vectors orthogonal to μ,

and moves with κ as its angle θ does (:mod:`generative.angles`), and with μ by the smallest
rotation that moves μ, dx = (x·μ) dμ - (x·dμ) μ. Unlike the derivative of a Householder reflection
this has no pole and adds no turning about μ, which would be noise.
"""

from __future__ import annotations

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints, register_kl

from generative.angles import angles
from generative.bessel import log_partition
from generative.data import wide
from generative.sphere import (
    HypersphericalUniform,
    Sizes,
    check_dimension,
    log_area,
    orthogonal_directions,
    unit_sphere,
)


class VonMisesFisher(Distribution):
    """The distribution on the unit sphere of R^d with a density proportional to exp(κ μ·x).

    Args:
        loc: μ (..., d), unit vectors, d >= 2.
        concentration: κ >= 0 (...); 0 is the uniform distribution.
        validate_args: look at the values, which waits for the device.

    Raises:
        ValueError: if shapes do not fit, μ is not on the sphere or κ is negative or not finite.

    >>> q = VonMisesFisher(torch.tensor([0.0, 0.0, 1.0]), torch.tensor(50.0))
    >>> q.mean
    tensor([0.0000, 0.0000, 0.9800])
    >>> q.rsample((4,), torch.Generator().manual_seed(0)).shape
    torch.Size([4, 3])
    >>> VonMisesFisher(torch.tensor([0.0, 1.0]), torch.tensor(-2.0))
    Traceback (most recent call last):
    ValueError: A von Mises-Fisher concentration is -2; expected finite numbers from 0 up.
    """

    arg_constraints = {"loc": unit_sphere, "concentration": constraints.nonnegative}  # noqa: RUF012
    support = unit_sphere
    has_rsample = True

    def __init__(self, loc: Tensor, concentration: Tensor, validate_args: bool = True) -> None:
        check_dimension(loc.shape[-1] if loc.dim() else 0)
        shape = torch.broadcast_shapes(loc.shape[:-1], concentration.shape)  # type: ignore[no-untyped-call]
        self.loc, self.concentration = loc.expand(*shape, -1), concentration.expand(shape)
        if validate_args:
            self._check()
        super().__init__(shape, loc.shape[-1:], validate_args=False)
        self._log_partition, self._cosine = log_partition(loc.shape[-1], self.concentration)

    @property
    def mean(self) -> Tensor:
        """E[x] = I_{d/2}(κ) / I_{d/2-1}(κ) · μ (..., d), inside the sphere."""
        return (self._cosine[..., None] * self.loc).to(self.loc)

    @property
    def mode(self) -> Tensor:
        """μ."""
        return self.loc

    def rsample(self, sample_shape: Sizes = (), generator: torch.Generator | None = None) -> Tensor:
        """Points (*sample_shape, ..., d) that carry gradients to μ and κ."""
        shape = Size([*sample_shape, *self.batch_shape])
        kappa, cosine = wide(self.concentration).expand(shape), self._cosine.expand(shape)
        angle = angles(kappa, cosine, self.event_shape[0], generator)
        loc = self.loc.expand(*shape, -1)
        across = orthogonal_directions(loc.detach(), generator)
        # Zero, but its derivative turns the orthogonal direction along with μ.
        lean = (across * loc).sum(-1, keepdim=True)
        along, aside = (part.to(loc)[..., None] for part in (angle.cos(), angle.sin()))
        return along * loc + aside * (across - lean * loc)

    def sample(self, sample_shape: Sizes = (), generator: torch.Generator | None = None) -> Tensor:
        """The same without gradients."""
        with torch.no_grad():
            return self.rsample(sample_shape, generator)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (...) of unit vectors (..., d), with respect to the sphere's area.

        Written with |x - μ|² / 2 = 1 - μ·x, which keeps its digits where κ is large.
        """
        gap = (wide(value) - wide(self.loc)).square().sum(-1) / 2
        kappa = wide(self.concentration)
        level = kappa - self._log_partition - log_area(self.event_shape[0])
        return (level - kappa * gap).to(self.loc)

    def entropy(self) -> Tensor:
        """Differential entropy (...) in nats, at most the logarithm of the sphere's area."""
        return (log_area(self.event_shape[0]) - self._kl_to_uniform()).to(self.loc)

    def _kl_to_uniform(self) -> Tensor:
        """E log (q / uniform) = κ E[t] - log E_uniform exp(κ t)."""
        return wide(self.concentration) * self._cosine - self._log_partition

    def _check(self) -> None:
        kappa = self.concentration
        wrong = kappa[~((kappa >= 0) & kappa.isfinite())]
        if wrong.numel():
            raise ValueError(
                f"A von Mises-Fisher concentration is {wrong[0].item():g}; expected finite "
                "numbers from 0 up."
            )
        off = self.loc[~unit_sphere.check(self.loc)]
        if len(off):
            raise ValueError(
                f"A von Mises-Fisher location has the length {off[0].norm().item():g}; expected "
                "unit vectors: divide by the length first."
            )


@register_kl(VonMisesFisher, HypersphericalUniform)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_to_uniform(q: VonMisesFisher, p: HypersphericalUniform) -> Tensor:
    if q.event_shape != p.event_shape:
        raise ValueError(
            f"A KL divergence was asked between spheres of R^{q.event_shape[0]} and "
            f"R^{p.event_shape[0]}; expected the same."
        )
    return q._kl_to_uniform().to(q.loc)
