"""The unit sphere of R^d: its area, uniform points, and the uniform distribution."""

from __future__ import annotations

import math

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional as F

Sizes = Size | list[int] | tuple[int, ...]
_OFF_SPHERE = 1e-3  # how far from 1 the length of a float32 direction may be


def log_area(dimension: int) -> float:
    """Logarithm of the area of the unit sphere of R^d.

    >>> round(math.exp(log_area(3)) / math.pi, 6)
    4.0
    """
    return math.log(2) + dimension / 2 * math.log(math.pi) - math.lgamma(dimension / 2)


def directions(shape: Size, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Uniform unit vectors of a shape (..., d), in the dtype and on the device of ``like``."""
    noise = torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
    if shape[-1] == 1:  # two points; a normal number can round to 0
        return torch.ones_like(noise).copysign(noise)
    return F.normalize(noise, dim=-1)


def orthogonal_directions(loc: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A uniform unit vector orthogonal to each unit vector (..., d).

    One of R^{d-1} is put behind a 0 and carried along by the Householder reflection that takes
    the first axis to plus or minus ``loc``, with the sign that avoids cancellation.
    """
    free = directions(Size([*loc.shape[:-1], loc.shape[-1] - 1]), loc, generator)
    first, others = loc[..., :1], loc[..., 1:]
    scale = (others * free).sum(-1, keepdim=True) / (1 + first.abs())
    axis = first + torch.ones_like(first).copysign(first)
    return torch.cat([-scale * axis, free - scale * others], -1)


def check_dimension(dimension: int) -> None:
    """Refuse spheres of fewer than two dimensions of space.

    Raises:
        ValueError: if the dimension is below 2.
    """
    if dimension < 2:
        raise ValueError(
            f"A sphere in a space of {dimension} dimensions was asked for; expected 2 or more."
        )


class _Sphere(constraints.Constraint):
    """Unit vectors in the last dimension."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value.square().sum(-1).sqrt() - 1).abs() < _OFF_SPHERE


unit_sphere = _Sphere()


class HypersphericalUniform(Distribution):
    """The uniform distribution on the unit sphere of R^d.

    Args:
        dimension: d >= 2; the sphere itself has d - 1 dimensions.
        like: dtype and device of samples, those of this tensor.

    Raises:
        ValueError: if the dimension is below 2.

    >>> x = HypersphericalUniform(3).sample((5,))
    >>> x.shape, bool(torch.allclose(x.norm(dim=1), torch.ones(5)))
    (torch.Size([5, 3]), True)
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012 - as torch has it
    support = unit_sphere

    def __init__(self, dimension: int, like: Tensor | None = None) -> None:
        check_dimension(dimension)
        super().__init__(event_shape=Size([dimension]), validate_args=False)
        self.like = torch.empty(0) if like is None else like

    def sample(self, sample_shape: Sizes = (), generator: torch.Generator | None = None) -> Tensor:
        """Directions of normal vectors (*sample_shape, d)."""
        return directions(Size([*sample_shape, *self.event_shape]), self.like, generator)

    def log_prob(self, value: Tensor) -> Tensor:
        """Minus the logarithm of the sphere's area, of any points (..., d)."""
        return value.new_full(value.shape[:-1], -log_area(self.event_shape[0]))

    def entropy(self) -> Tensor:
        """The logarithm of the sphere's area."""
        return self.like.new_tensor(log_area(self.event_shape[0]))
