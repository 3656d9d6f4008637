"""The base class of all preprocessing, and the statistics it takes."""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor

from generative.data import wide
from generative.model import Stateful

_CONSTANT = 1e-6  # a standard deviation below this times max(1, |mean|) is rounding, not data


class Transform(Stateful):
    """Base class: the identity.

    Attributes:
        elementwise: whether each output belongs to one input, so that missing values stay
            missing values and a model can condition on single dimensions.
    """

    elementwise = True

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {}

    def fit(self, x: Tensor, mask: Tensor | None = None) -> Self:
        """Learn from rows (B, D), of which only those where the mask (B, D) is True count."""
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The transformed rows and log |det dy/dx| (B,)."""
        return x, x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Back to the units of the data."""
        return y

    def kept(self, mask: Tensor) -> Tensor:
        """What a mask (..., D) of inputs is for the outputs; only where ``elementwise``."""
        return mask

    def check_elementwise(self, verb: str) -> None:
        """Refuse to go on where dimensions are mixed.

        Raises:
            ValueError: if they are.
        """
        if not self.elementwise:
            raise ValueError(
                f"{verb} needs preprocessing that leaves dimensions apart, and "
                f"{type(self).__name__} mixes them; use Standardise() instead of Whiten()."
            )

    def restrict(self, keep: Tensor) -> Self:
        """The same map for the dimensions where ``keep`` (D,) is True; only if ``elementwise``."""
        return copy.deepcopy(self)


def moments(x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (D,) of what is observed, in the widest float."""
    data = wide(x)
    seen = torch.ones_like(data) if mask is None else mask.to(data)
    count = seen.sum(0).clamp(min=1)
    mean = (data * seen).sum(0) / count
    return mean, (((data - mean) * seen).square().sum(0) / count).sqrt()


def constant(mean: Tensor, std: Tensor) -> Tensor:
    """Which dimensions (D,) vary by no more than the rounding of their values."""
    return std <= _CONSTANT * mean.abs().clamp(min=1)
