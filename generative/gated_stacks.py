"""Gated convolutions in two stacks, without a blind spot (van den Oord et al. 2016b)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from generative.masked_convolution import Line, MaskedConvolution, lines_above, next_line
from generative.raster_masks import check_channels, check_sizes, groups, own_mask
from generative.raster_nets import (
    Layer,
    RasterNet,
    RasterNetwork,
    Sizes,
    Teller,
    Told,
    Walk,
    plus,
)


@dataclass(frozen=True)
class Gated(RasterNetwork):
    """Two stacks of gated convolutions, without a blind spot (van den Oord et al. 2016b, §2.2-2.3).

    The vertical one sees all lines above; the horizontal one its own line to the left, and at each
    layer what the vertical one found. Images of one line, as windows of sequences are, need no
    vertical one.

    >>> import torch
    >>> net = Gated(channels=4, blocks=2).build(Sizes((1, 5, 6), 2, 0))
    >>> net(torch.randn(3, 1, 5, 6)).shape
    torch.Size([3, 1, 5, 6, 2])
    """

    channels: int = 48
    """Between the layers; there are twice as many before each gate."""
    blocks: int = 7
    """Layers of each stack."""
    kernel: int = 3
    """Width of the convolutions, odd; the vertical ones see half as many lines, rounded up."""
    first: int = 7
    """Width of the first convolution of each stack, odd."""

    def __post_init__(self) -> None:
        check_sizes("Gated", self.channels, (self.kernel, self.first), self.blocks)

    def build(self, sizes: Sizes) -> RasterNet:
        """The net."""
        check_channels("Gated", self.channels, sizes.shape[0])
        layers = [
            GatedLayer(self.channels, sizes.shape[0], self.kernel) for _ in range(self.blocks)
        ]
        if sizes.shape[1] == 1:
            return RasterNet(sizes, self.channels, self.first, layers)
        return GatedNet(sizes, self, layers)


class GatedLayer(Layer):
    """A layer of the horizontal stack."""

    remembers = False  # lines above reach it by the vertical stack

    def __init__(self, channels: int, colours: int, kernel: int) -> None:
        super().__init__()
        self.gates = 2 * channels
        own = groups(channels, colours)
        self.left = MaskedConvolution(own_mask(own.repeat(2), own), 0, kernel)
        self.out = MaskedConvolution(own_mask(own, own))

    def forward(self, x: Tensor, told: Told) -> Tensor:
        """(B, I, H, W) to the same."""
        added: Tensor = self.out(gated(plus(self.left(x), told)))
        return x + added

    def walk(self, rows: int, width: int) -> Walk:
        """The same along lines."""
        return GatedWalk(self, rows, width)


class GatedWalk(Walk):
    """A :class:`GatedLayer` along lines."""

    def __init__(self, layer: GatedLayer, rows: int, width: int) -> None:
        self.left, self.out = Line(layer.left, rows, width), Line(layer.out, rows, width)
        self.start = layer.left.bias.expand(1, width, -1)

    def line(self, told: Told) -> None:
        """Begin the next line."""
        self.base = plus(self.start, told)

    def pixel(self, column: int, x: Tensor) -> Tensor:
        """The output for an input (B, I)."""
        gates = self.left.at(column, x, self.base[:, column])
        return x + self.out.at(0, gated(gates))


class VerticalLayer(nn.Module):
    """A layer of the vertical stack, over images moved down by a line.

    Args:
        inputs: channels that come in.
        channels: that go out.
        above: lines above its own that it sees.
        kernel: columns that it sees.
        context: width of the context.
    """

    def __init__(self, inputs: int, channels: int, above: int, kernel: int, context: int) -> None:
        super().__init__()
        self.above, self.side = above, kernel // 2
        self.convolution = nn.Conv2d(inputs, 2 * channels, (above + 1, kernel))
        self.across = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.context = nn.Linear(context, 2 * channels, bias=False) if context else None

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """Gates (B, 2 channels, H - above, W) of lines (B, I, H, W)."""
        gates: Tensor = self.convolution(F.pad(x, (self.side, self.side)))
        return gates if self.context is None else gates + self.context(context)[..., None, None]


class GatedNet(RasterNet):
    """The horizontal stack, and a vertical one that tells its layers of the lines above."""

    def __init__(self, sizes: Sizes, network: Gated, layers: Sequence[Layer]) -> None:
        super().__init__(sizes, network.channels, network.first, layers)
        colours, height, _ = sizes.shape
        widths = [colours, *[network.channels] * network.blocks]
        kernels = [network.first, *[network.kernel] * (network.blocks - 1)]
        self.vertical = nn.ModuleList(
            VerticalLayer(a, b, min(kernel // 2, height - 1), kernel, sizes.context)
            for (a, b), kernel in zip(pairwise(widths), kernels, strict=True)
        )

    def told(self, x: Tensor, context: Tensor | None) -> list[Told]:
        """Of the lines above, and of the context."""
        seen = F.pad(x, (0, 0, 1, -1))  # moved down by a line
        found: list[Told] = []
        for layer, given in zip(self.stack(), super().told(x, context), strict=True):
            gates = layer(F.pad(seen, (0, 0, layer.above, 0)), context)
            found.append(plus(layer.across(gates), given))
            seen = gated(gates)
        return found

    def teller(self, image: Tensor, context: Tensor | None) -> Teller:
        """The same line by line."""
        return VerticalTeller(self, image, context)

    def stack(self) -> list[VerticalLayer]:
        """The layers of the vertical stack."""
        return [layer for layer in self.vertical if isinstance(layer, VerticalLayer)]


class VerticalTeller(Teller):
    """The vertical stack, line by line."""

    def __init__(self, net: GatedNet, image: Tensor, context: Tensor | None) -> None:
        super().__init__(net, image, context)
        self.stack, self.image, self.context = net.stack(), image, context
        rows, _, _, width = image.shape
        self.seen = [  # the last lines that each layer but the first sees
            image.new_zeros(rows, layer.convolution.in_channels, layer.above + 1, width)
            for layer in self.stack
        ]

    def line(self, line: int) -> list[Told]:
        """(B, W, gates) for each layer."""
        found: list[Told] = []
        new = lines_above(self.image, line, 1)
        for at, layer in enumerate(self.stack):
            self.seen[at] = next_line(self.seen[at], new)
            gates = layer(self.seen[at], self.context)  # (B, gates, 1, W)
            found.append(plus(layer.across(gates).squeeze(2).mT, self.constant[at]))
            new = gated(gates)
        return found


def gated(gates: Tensor) -> Tensor:
    """tanh(a) σ(b) (B, channels, ...) of gates (B, 2 channels, ...) (2016b, eq. 2)."""
    a, b = gates.chunk(2, 1)
    return a.tanh() * b.sigmoid()
