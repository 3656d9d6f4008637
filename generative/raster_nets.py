"""Nets from images to numbers for each pixel, blind to it and to what follows, and their walks.

A net is evaluated in two ways with the same result: over whole images at once, as training needs
it, or along a **walk**: what comes from the lines above is computed once for all pixels of a line,
and at each pixel only what comes from its left is added. A walk is what makes sampling fast.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generative.coders import Outputs
from generative.masked_convolution import Line, MaskedConvolution, lines_above
from generative.raster_masks import groups, own_mask

Told = Tensor | None


class Sizes(NamedTuple):
    """What a net is made for.

    Attributes:
        shape: of an image, (C, H, W).
        outputs: numbers for each value.
        context: width of what the net is conditioned on, 0 for nothing.
    """

    shape: tuple[int, int, int]
    outputs: int
    context: int


@dataclass(frozen=True)
class RasterNetwork(ABC):
    """A net: the description, without parameters."""

    @abstractmethod
    def build(self, sizes: Sizes) -> RasterNet:
        """The net.

        Raises:
            ValueError: if it cannot be made for these sizes, naming the nearest that it can.
        """


class Walk(ABC):
    """A layer along lines of pixels."""

    @abstractmethod
    def line(self, told: Told) -> None:
        """Begin the next line.

        Args:
            told: what the layer is told besides, (B or 1, W or 1, gates).
        """

    @abstractmethod
    def pixel(self, column: int, x: Tensor) -> Tensor:
        """The output (B, O) for an input (B, I), given those to the left and above.

        A pixel may be asked about again with another input; the last one counts.
        """


class Layer(nn.Module, ABC):
    """A layer of a net.

    Attributes:
        gates: channels inside to which what it is told besides is added.
        remembers: whether it sees its own inputs in the lines above.
    """

    gates: int
    remembers: bool = True

    @abstractmethod
    def forward(self, x: Tensor, told: Told) -> Tensor:
        """(B, I, H, W) to (B, O, H, W), told (B or 1, gates, H or 1, W or 1)."""

    @abstractmethod
    def walk(self, rows: int, width: int) -> Walk:
        """The same along lines of so many pixels, for so many images."""


class Head(nn.Module):
    """Two layers at each pixel, from channels to numbers for each value."""

    def __init__(self, channels: int, colours: int, outputs: int) -> None:
        super().__init__()
        inside, last = groups(channels, colours), groups(colours * outputs, colours)
        self.hidden = MaskedConvolution(own_mask(inside, inside))
        self.last = MaskedConvolution(own_mask(last, inside))
        self.shaping = Outputs(colours, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, H, W) to (B, C, H, W, outputs)."""
        numbers: Tensor = self.shaping(self.last(F.relu(self.hidden(F.relu(x)))))
        return numbers


class RasterNet(nn.Module):
    """A masked convolution, layers that each add to its output, and a head.

    Each pixel also has a bias of its own in each channel, so that the net knows where it is.

    Args:
        sizes: what it is made for.
        channels: between the layers.
        kernel: of the first convolution.
        layers: from channels to channels.
    """

    def __init__(self, sizes: Sizes, channels: int, kernel: int, layers: Sequence[Layer]) -> None:
        super().__init__()
        colours, height, width = sizes.shape
        own = own_mask(groups(channels, colours), groups(colours, colours), strict=True)
        self.first = MaskedConvolution(own, min(kernel // 2, height - 1), kernel)
        self.place = nn.Parameter(torch.zeros(channels, height, width))
        self.layers = nn.ModuleList(layers)
        given = [each.gates for each in layers] if sizes.context else []
        self.contexts = nn.ModuleList(nn.Linear(sizes.context, each, bias=False) for each in given)
        self.head = Head(channels, colours, sizes.outputs)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Numbers (B, C, H, W, outputs) for images (B, C, H, W) with values from -1 to 1."""
        x = x.contiguous(memory_format=torch.channels_last)  # the fastest for narrow nets on CPUs
        h = self.first(x)
        h = h + self.place.to(h.dtype)
        for layer, told in zip(self.each_layer(), self.told(x, context), strict=True):
            h = layer(h, told)
        numbers: Tensor = self.head(h)
        return numbers

    def told(self, x: Tensor, context: Tensor | None) -> list[Told]:
        """What each layer is told besides (B, gates, H or 1, W or 1): the context."""
        given = self.from_context(context)
        return [None if each is None else each[..., None, None] for each in given]

    def teller(self, image: Tensor, context: Tensor | None) -> Teller:
        """The same line by line, of an image (B, C, H, W) that comes to be meanwhile."""
        return Teller(self, image, context)

    def from_context(self, context: Tensor | None) -> list[Told]:
        """What each layer is told of a context, (B, gates)."""
        if context is None:
            return [None for _ in self.layers]
        return [each(context) for each in self.contexts]

    def each_layer(self) -> list[Layer]:
        """The layers."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]


class Teller:
    """What layers are told besides, line by line: here the context."""

    def __init__(self, net: RasterNet, image: Tensor, context: Tensor | None) -> None:
        self.constant = [
            None if each is None else each[:, None] for each in net.from_context(context)
        ]

    def line(self, line: int) -> list[Told]:
        """(B or 1, W or 1, gates) for each layer, from what lies above a line."""
        return self.constant


class RasterWalk:
    """A net along an image, line by line and pixel by pixel.

    Args:
        net: the net.
        image: (B, C, H, W), values from -1 to 1; the walk sees what is written to it meanwhile.
        context: (B, K), if the net is conditional.
    """

    def __init__(self, net: RasterNet, image: Tensor, context: Tensor | None) -> None:
        rows, colours, _, width = image.shape
        self.net, self.image = net, image
        self.remembers = any(layer.remembers for layer in net.each_layer())
        self.first = Line(net.first, rows, width)
        self.walks = [layer.walk(rows, width) for layer in net.each_layer()]
        self.teller = net.teller(image, context)
        self.hidden = Line(net.head.hidden, rows, width)
        self.last = Line(net.head.last, rows, width)
        self.shape = (rows, colours, -1)
        self.now = 0

    def line(self, line: int) -> None:
        """Begin a line; all lines above it must have been begun, in order."""
        self.now = line
        first = self.net.first
        above = first.from_above(lines_above(self.image, line, first.above))
        self.base = above + self.net.place[:, line].mT  # (B or 1, W, channels)
        for walk, told in zip(self.walks, self.teller.line(line), strict=True):
            walk.line(told)

    def pixel(self, column: int) -> Tensor:
        """Numbers (B, C, outputs) for the values of a pixel, from those before it."""
        now = self.image[:, :, self.now]  # (B, C, W)
        if column:
            self.first.put(column - 1, now[..., column - 1])  # all of it is known by now
        h = self.first.at(column, now[..., column], self.base[:, column])
        for walk in self.walks:
            h = walk.pixel(column, h)
        h = self.hidden.at(0, h.relu())
        return self.last.at(0, h.relu()).view(self.shape)


def plus(x: Tensor, told: Told) -> Tensor:
    """The sum, if there is anything to add."""
    return x if told is None else x + told
