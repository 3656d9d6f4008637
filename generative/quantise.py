"""Real numbers cut into levels, for models of whole numbers."""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor

from generative.transform import Transform, constant, moments


class Quantise(Transform):
    """Equal steps from the least to the greatest value of each dimension, numbered from 0.

    A model of the numbers is a density of the data that is the same everywhere within a step: its
    log-mass minus the logs of the widths of the steps. What lies beyond the ends belongs to the
    first and the last step. The way back gives the middles.

    Args:
        levels: how many steps.

    >>> x = torch.tensor([[0.0], [1.0], [8.0]])
    >>> y, log_det = Quantise(4).fit(x)(x)
    >>> y.T, log_det.exp()
    (tensor([[0., 0., 3.]]), tensor([0.5000, 0.5000, 0.5000]))
    """

    low: Tensor
    step: Tensor

    def __init__(self, levels: int = 64) -> None:
        super().__init__()
        if levels < 2:
            raise ValueError(f"Quantise was given levels={levels}; expected 2 or more.")
        self.levels = levels
        self.new_buffer("low")
        self.new_buffer("step")

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"levels": self.levels}

    def fit(self, x: Tensor, mask: Tensor | None = None) -> Self:
        """Take the ends of what is observed.

        Raises:
            ValueError: if a dimension never varies.
        """
        still = constant(*moments(x, mask)).nonzero()
        if len(still):
            raise ValueError(
                f"Column {int(still[0])} never varies ({len(still)} such columns); put "
                "DropConstant() before Quantise()."
            )
        seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        self.low = torch.where(seen, x, torch.inf).amin(0)
        self.step = (torch.where(seen, x, -torch.inf).amax(0) - self.low) / self.levels
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Numbers of steps."""
        y = ((x - self.low) / self.step).floor().clamp(0, self.levels - 1)
        return y, -self.step.log().sum().expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """The middles of steps."""
        return self.low + (y + 0.5) * self.step

    def restrict(self, keep: Tensor) -> Self:
        """The same for some dimensions."""
        part = copy.deepcopy(self)
        part.low, part.step = self.low[keep], self.step[keep]
        return part
