"""Masked perceptrons whose output i depends on inputs before i only (MADE, Germain et al. 2015)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generative.nets import initialise


class MaskedLinear(nn.Linear):
    """A linear map of which some weights are always 0.

    Args:
        mask: (out, in), True where a weight counts.
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        initialise(self, "xavier")
        self.register_buffer("mask", mask.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The map of x (..., in)."""
        return F.linear(x, self.weight * self.mask, self.bias)


class AutoregressiveNet(nn.Module):
    """A perceptron from z and features to numbers for each of z, each blind to z from it on.

    A hidden unit of degree d sees z_1 ... z_d; what belongs to z_i sees units of degree below i.
    Units of degree 0 see the features alone, which every unit of the first layer sees.

    Args:
        width: Z.
        hidden: widths of the hidden layers.
        features: F, of what all outputs may depend on.
        outputs: numbers for each of z.

    >>> net = AutoregressiveNet(3, (16,), 4, 2)
    >>> net(torch.zeros(5, 3), net.context(torch.zeros(5, 4))).shape
    torch.Size([5, 3, 2])
    """

    def __init__(self, width: int, hidden: Sequence[int], features: int, outputs: int) -> None:
        super().__init__()
        self.shape = (width, outputs)
        self.context = nn.Linear(features, hidden[0])
        degrees = [torch.arange(1, width + 1)]
        degrees += [torch.arange(units) % width for units in hidden]
        pairs = pairwise(degrees)
        self.hidden = nn.ModuleList(MaskedLinear(b[:, None] >= a) for a, b in pairs)
        own = torch.arange(1, width + 1).repeat_interleave(outputs)
        self.last = MaskedLinear(own[:, None] > degrees[-1])
        with torch.no_grad():
            self.last.weight.mul_(1 / math.sqrt(hidden[-1]))  # starts close to its bias

    def forward(self, z: Tensor, context: Tensor) -> Tensor:
        """Numbers (..., B, Z, outputs) for z (..., B, Z) and ``self.context(features)``."""
        first, *others = self.hidden
        h = F.elu(first(z) + context)
        for layer in others:
            h = F.elu(layer(h))
        numbers: Tensor = self.last(h).unflatten(-1, self.shape)
        return numbers
