"""Masked convolutions in residual blocks: the first PixelCNN (van den Oord et al. 2016a)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from generative.masked_convolution import Line, MaskedConvolution, next_line
from generative.raster_masks import check_channels, check_sizes, groups, own_mask
from generative.raster_nets import Layer, RasterNet, RasterNetwork, Sizes, Told, Walk, plus


@dataclass(frozen=True)
class Masked(RasterNetwork):
    """Residual blocks of masked convolutions (van den Oord et al. 2016a, §3.3 and figure 5).

    A pixel does not see all that comes before it: some of it, above and to the right, is in a
    blind spot, which ``Gated`` does not have.

    >>> import torch
    >>> net = Masked(channels=4, blocks=2).build(Sizes((1, 5, 6), 2, 0))
    >>> net(torch.randn(3, 1, 5, 6)).shape
    torch.Size([3, 1, 5, 6, 2])
    """

    channels: int = 24
    """Inside the blocks; there are twice as many between them."""
    blocks: int = 7
    """Of three convolutions each."""
    kernel: int = 3
    """Width of the one in the middle, odd."""
    first: int = 7
    """Width of the first convolution, odd."""

    def __post_init__(self) -> None:
        check_sizes("Masked", self.channels, (self.kernel, self.first), self.blocks)

    def build(self, sizes: Sizes) -> RasterNet:
        """The net."""
        colours, height, _ = sizes.shape
        check_channels("Masked", self.channels, colours)
        above = min(self.kernel // 2, height - 1)
        layers = [
            MaskedBlock(self.channels, colours, above, self.kernel) for _ in range(self.blocks)
        ]
        return RasterNet(sizes, 2 * self.channels, self.first, layers)


class MaskedBlock(Layer):
    """See :class:`Masked`."""

    def __init__(self, channels: int, colours: int, above: int, kernel: int) -> None:
        super().__init__()
        self.gates = channels
        inside, outside = groups(channels, colours), groups(2 * channels, colours)
        self.narrow = MaskedConvolution(own_mask(inside, outside))
        self.middle = MaskedConvolution(own_mask(inside, inside), above, kernel)
        self.widen = MaskedConvolution(own_mask(outside, inside))

    def forward(self, x: Tensor, told: Told) -> Tensor:
        """(B, I, H, W) to the same."""
        h = self.middle(F.relu(self.narrow(F.relu(x))))
        added: Tensor = self.widen(F.relu(plus(h, told)))
        return x + added

    def walk(self, rows: int, width: int) -> Walk:
        """The same along lines."""
        return MaskedWalk(self, rows, width)


class MaskedWalk(Walk):
    """A :class:`MaskedBlock` along lines."""

    def __init__(self, block: MaskedBlock, rows: int, width: int) -> None:
        self.above = block.middle
        self.narrow, self.middle, self.widen = (
            Line(each, rows, width) for each in (block.narrow, block.middle, block.widen)
        )
        middle = block.middle
        # The own line and those above it, of what the middle convolution sees.
        self.seen = middle.weight.new_zeros(rows, block.gates, middle.above + 1, width)

    def line(self, told: Told) -> None:
        """Begin the next line."""
        self.seen = next_line(self.seen)
        self.base = plus(self.above.from_above(self.seen[:, :, :-1]), told)

    def pixel(self, column: int, x: Tensor) -> Tensor:
        """The output for an input (B, I)."""
        h = self.narrow.at(0, x.relu()).relu()
        self.seen[:, :, -1, column] = h
        h = self.middle.at(column, h, self.base[:, column])
        return x + self.widen.at(0, h.relu())
