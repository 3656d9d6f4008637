"""Preprocessing for whole numbers, values in a range, and bits."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from generative.data import check_positive
from generative.transform import Transform


class Dequantise(Transform):
    """Adds uniform noise to whole numbers 0 to levels - 1 and scales them to [0, 1).

    The density of the noisy data; its mean over the noise bounds the log-mass of the whole
    numbers from below (Theis et al. 2016, eq. 5). The way back rounds down.

    Args:
        levels: how many values there are.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        check_positive("Dequantise", levels=levels)
        self.levels = levels

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"levels": self.levels}

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Noisy rows in [0, 1).

        Raises:
            ValueError: if a value is not one of the levels.
        """
        if not ((x >= 0) & (x <= self.levels - 1) & (x == x.floor())).all():
            raise ValueError(
                f"Dequantise({self.levels}) was given values from {x.min().item():g} to "
                f"{x.max().item():g}; expected whole numbers from 0 to {self.levels - 1}."
            )
        noise = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        below_one = 1 - torch.finfo(x.dtype).eps
        y = ((x + noise) / self.levels).clamp(max=below_one)
        return y, x.new_full((len(x),), -math.log(self.levels) * x[0].numel())

    def inverse(self, y: Tensor) -> Tensor:
        """The whole numbers."""
        return (y * self.levels).floor().clamp(0, self.levels - 1)


class Logit(Transform):
    """Maps [0, 1] to the real line: logit(margin + (1 - 2 margin) x) (Dinh et al. 2017, §4.1).

    Args:
        margin: how far the ends are moved inwards, so that they stay finite; below 1/2.
    """

    def __init__(self, margin: float = 0.05) -> None:
        super().__init__()
        if not 0 < margin < 0.5:
            raise ValueError(f"Logit was given margin={margin}; it must be between 0 and 1/2.")
        self.margin = margin

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"margin": self.margin}

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Logits.

        Raises:
            ValueError: if a value is outside [0, 1].
        """
        if not ((x >= 0) & (x <= 1)).all():
            raise ValueError(
                f"Logit was given values from {x.min().item():g} to {x.max().item():g}; "
                "expected them in [0, 1]."
            )
        y = torch.logit(self.margin + (1 - 2 * self.margin) * x)
        log_det = math.log(1 - 2 * self.margin) + F.softplus(y) + F.softplus(-y)
        return y, log_det.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        """Back to [0, 1], where what the margin left over is cut off."""
        return ((y.sigmoid() - self.margin) / (1 - 2 * self.margin)).clamp(0, 1)


class Rescale(Transform):
    """Maps values from ``low`` to ``high`` to [-1, 1], where generators of images end in tanh.

    Args:
        low: in units of the data.
        high: likewise.

    >>> Rescale(0, 16)(torch.tensor([[0.0, 8.0, 16.0]]))[0]
    tensor([[-1.,  0.,  1.]])
    """

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"Rescale was given low={low} and high={high}; expected low < high.")
        self.low, self.high = low, high

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"low": self.low, "high": self.high}

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Scaled rows."""
        scale = 2 / (self.high - self.low)
        return (x - self.low) * scale - 1, x.new_full((len(x),), math.log(scale) * x[0].numel())

    def inverse(self, y: Tensor) -> Tensor:
        """Back to the units of the data."""
        return self.low + (y + 1) * (self.high - self.low) / 2


class Binarise(Transform):
    """1 above the threshold, else 0: for models of bits, whose masses need no determinant.

    Args:
        threshold: in units of the data.
    """

    def __init__(self, threshold: float = 0.5) -> None:
        super().__init__()
        self.threshold = threshold

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"threshold": self.threshold}

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Bits; the log-determinant is 0, since the model gives them a mass and no density."""
        return (x > self.threshold).to(x.dtype), x.new_zeros(len(x))
