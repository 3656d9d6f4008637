"""Bits drawn from shades of grey."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from generative.data import check_positive
from generative.transform import Transform


class DynamicBinarise(Transform):
    """Draws bits whose probabilities are the values over ``maximum``, afresh each time.

    What Salakhutdinov & Murray (2008) did once to MNIST; done anew for each batch it makes a model
    of bits overfit later. Values 0 and ``maximum`` are fixed points, so that data which are bits
    already pass unchanged.

    Args:
        maximum: the value that is always 1.

    >>> bits, _ = DynamicBinarise(16)(torch.tensor([[0.0, 16.0]]))
    >>> bits, DynamicBinarise(16).inverse(bits)
    (tensor([[0., 1.]]), tensor([[ 0., 16.]]))
    """

    def __init__(self, maximum: float = 1.0) -> None:
        super().__init__()
        check_positive("DynamicBinarise", maximum=maximum)
        self.maximum = maximum

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"maximum": self.maximum}

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Bits; the log-determinant is 0, since the model gives them a mass and no density.

        Raises:
            ValueError: if a value is outside [0, maximum].
        """
        least, most = torch.stack(x.aminmax()).tolist()
        if not (least >= 0 and most <= self.maximum):
            raise ValueError(
                f"DynamicBinarise({self.maximum:g}) was given values from {least:g} to {most:g}; "
                f"expected them in [0, {self.maximum:g}]."
            )
        share = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return (share * self.maximum < x).to(x.dtype), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Bits, or probabilities of ones, as shades of grey."""
        return y * self.maximum
