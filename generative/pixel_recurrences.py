"""Recurrent nets for pixels: Row LSTM and Diagonal BiLSTM (van den Oord et al. 2016a, §3.1-3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generative.masked_convolution import Line, MaskedConvolution
from generative.raster_masks import check_channels, check_sizes, groups, own_mask
from generative.raster_nets import Layer, RasterNet, RasterNetwork, Sizes, Told, Walk, plus


@dataclass(frozen=True)
class RowLSTM(RasterNetwork):
    """LSTMs that go from line to line, each unit seeing a few of those above it.

    A pixel sees a triangle above it, which widens by half a kernel a line in each layer.

    >>> net = RowLSTM(channels=4, blocks=2).build(Sizes((1, 5, 6), 2, 0))
    >>> net(torch.randn(3, 1, 5, 6)).shape
    torch.Size([3, 1, 5, 6, 2])
    """

    channels: int = 24
    """Units of each LSTM; there are twice as many channels between them."""
    blocks: int = 4
    """LSTMs, one after another."""
    kernel: int = 3
    """Units above that each sees, odd; of its input it sees half as many to the left."""
    first: int = 7
    """Width of the first convolution, odd."""

    def __post_init__(self) -> None:
        check_sizes("RowLSTM", self.channels, (self.kernel, self.first), self.blocks)

    def build(self, sizes: Sizes) -> RasterNet:
        """The net."""
        check_channels("RowLSTM", self.channels, sizes.shape[0])
        layers = [RowLayer(self.channels, sizes.shape[0], self.kernel) for _ in range(self.blocks)]
        return RasterNet(sizes, 2 * self.channels, self.first, layers)


class RowLayer(Layer):
    """A layer of :class:`RowLSTM`."""

    def __init__(self, units: int, colours: int, kernel: int) -> None:
        super().__init__()
        self.units, self.gates = units, 4 * units
        inside, outside = groups(units, colours), groups(2 * units, colours)
        own = own_mask(inside.repeat(4), outside)
        self.inputs = remember(MaskedConvolution(own, 0, kernel), units)
        self.state = nn.Conv1d(units, 4 * units, kernel, padding=kernel // 2, bias=False)
        self.out = MaskedConvolution(own_mask(outside, inside))

    def forward(self, x: Tensor, told: Told) -> Tensor:
        """(B, I, H, W) to the same."""
        gates = plus(self.inputs(x), told)
        lines = []
        h = c = self.state.weight.new_zeros(len(x), self.units, x.shape[3])
        for line in gates.unbind(2):
            h, c = lstm(line + self.state(h), c)
            lines.append(h)
        added: Tensor = self.out(torch.stack(lines, 2))
        return x + added

    def walk(self, rows: int, width: int) -> Walk:
        """The same along lines."""
        return RowWalk(self, rows, width)


class RowWalk(Walk):
    """A :class:`RowLayer` along lines."""

    def __init__(self, layer: RowLayer, rows: int, width: int) -> None:
        self.layer = layer
        self.inputs, self.out = Line(layer.inputs, rows, width), Line(layer.out, rows, width)
        zeros = layer.out.bias.new_zeros(rows, layer.units, width)
        self.h, self.c, self.memory = zeros, zeros.clone(), zeros.clone()

    def line(self, told: Told) -> None:
        """Begin the next line."""
        above = self.layer.state(self.h).mT + self.layer.inputs.bias
        self.base = plus(above, told)  # (B, W, gates)
        self.memory, self.c = self.c, self.memory

    def pixel(self, column: int, x: Tensor) -> Tensor:
        """The output for an input (B, I)."""
        gates = self.inputs.at(column, x, self.base[:, column])
        h, c = lstm(gates, self.memory[:, :, column])
        self.h[:, :, column], self.c[:, :, column] = h, c
        return x + self.out.at(0, h)


@dataclass(frozen=True)
class DiagonalBiLSTM(RasterNetwork):
    """LSTMs that go along diagonals, from both upper corners: a pixel sees all before it.

    All but one: the end of the line above, which nothing in that line has seen, is seen only where
    the first convolution reaches it. The lines are moved so that diagonals are columns, all lines
    of which are worked on at once.

    >>> net = DiagonalBiLSTM(channels=4, blocks=2).build(Sizes((1, 5, 6), 2, 0))
    >>> net(torch.randn(3, 1, 5, 6)).shape
    torch.Size([3, 1, 5, 6, 2])
    """

    channels: int = 24
    """Units of each LSTM, each way; there are twice as many channels between them."""
    blocks: int = 4
    """Pairs of LSTMs, one after another."""
    first: int = 7
    """Width of the first convolution, odd."""

    def __post_init__(self) -> None:
        check_sizes("DiagonalBiLSTM", self.channels, (self.first,), self.blocks)

    def build(self, sizes: Sizes) -> RasterNet:
        """The net."""
        check_channels("DiagonalBiLSTM", self.channels, sizes.shape[0])
        layers = [DiagonalLayer(self.channels, sizes.shape[0]) for _ in range(self.blocks)]
        return RasterNet(sizes, 2 * self.channels, self.first, layers)


class DiagonalLayer(Layer):
    """A layer of :class:`DiagonalBiLSTM`."""

    def __init__(self, units: int, colours: int) -> None:
        super().__init__()
        self.units, self.gates = units, 8 * units
        inside, outside = groups(units, colours), groups(2 * units, colours)
        own = own_mask(inside.repeat(8), outside)
        self.inputs = remember(MaskedConvolution(own), units)
        start = torch.empty(2, 2 * units, 4 * units).uniform_(-1, 1) / (2 * units) ** 0.5
        self.state = nn.Parameter(start)  # each way, from the left and from above
        self.out = MaskedConvolution(own_mask(outside, inside))

    def forward(self, x: Tensor, told: Told) -> Tensor:
        """(B, I, H, W) to the same."""
        rows, _, height, width = x.shape
        # Lines and columns first and then images, so that all that is moved is in long pieces.
        gates = plus(self.inputs(x), told).permute(2, 3, 0, 1)  # (H, W, B, 8h)
        forth, back = gates.reshape(height, width, rows, 2, -1).unbind(3)
        steps = skew(torch.stack([forth, back.flip(1)]).flatten(3))  # (2, H, S, B · 4h)
        steps = steps.movedim(2, 0).reshape(-1, 2, height * rows, 4 * self.units)
        h = c = self.state.new_zeros(2, height * rows, self.units)
        columns = []
        for step in steps.unbind(0):
            above = F.pad(h, (0, 0, rows, -rows))
            h, c = lstm(torch.baddbmm(step, torch.cat([h, above], 2), self.state), c, 2)
            columns.append(h)
        states = torch.stack(columns, 1).reshape(2, -1, height, rows * self.units)
        forth, back = unskew(states.transpose(1, 2), width).unbind(0)  # (H, W, B · h)
        both = forth + F.pad(back.flip(1), (0, 0, 0, 0, 1, -1))
        both = both.view(height, width, rows, -1).permute(2, 3, 0, 1)  # (B, h, H, W)
        added: Tensor = self.out(both.contiguous(memory_format=torch.channels_last))
        return x + added

    def walk(self, rows: int, width: int) -> Walk:
        """The same along lines."""
        return DiagonalWalk(self, rows, width)


class DiagonalWalk(Walk):
    """A :class:`DiagonalLayer` along lines; what comes from the right follows a line later."""

    def __init__(self, layer: DiagonalLayer, rows: int, width: int) -> None:
        self.units = layer.units
        self.inputs, self.out = Line(layer.inputs, rows, width), Line(layer.out, rows, width)
        left, right = layer.state.chunk(2, 1)  # (2, h, 4h) from the side and from above
        self.side, self.above = left.contiguous(), right.contiguous()
        self.start = layer.inputs.bias.expand(1, width, -1)
        zeros = layer.out.bias.new_zeros(rows, width + 1, self.units)  # a column before the first
        self.h, self.c = zeros, zeros.clone()
        self.gates = zeros.new_zeros(rows, width, 4 * self.units)  # of the way back
        self.back = zeros[:, 1:].clone()
        self.begun = False

    def line(self, told: Told) -> None:
        """Begin the next line."""
        if self.begun:
            self.back = self.way_back()
        self.begun = True
        first = self.h[:, 1:] @ self.above[0]  # (B, W, 4h)
        self.base = plus(self.start, told) + F.pad(first, (0, 4 * self.units))

    def way_back(self) -> Tensor:
        """States (B, W, h) of the line that is over, from the right."""
        gates = self.gates + self.back @ self.above[1]
        h = c = gates.new_zeros(len(gates), self.units)
        states = []
        for each in gates.flip(1).unbind(1):
            h, c = lstm(torch.addmm(each, h, self.side[1]), c)
            states.append(h)
        return torch.stack(states[::-1], 1)

    def pixel(self, column: int, x: Tensor) -> Tensor:
        """The output for an input (B, I)."""
        gates = self.inputs.at(0, x, self.base[:, column])
        forth, self.gates[:, column] = gates.chunk(2, 1)
        h, c = lstm(torch.addmm(forth, self.h[:, column], self.side[0]), self.c[:, column])
        self.h[:, column + 1], self.c[:, column + 1] = h, c
        return x + self.out.at(0, h + self.back[:, column])


def lstm(gates: Tensor, c: Tensor, dim: int = 1) -> tuple[Tensor, Tensor]:
    """Output and memory of an LSTM (2016a, eq. 3) from its gates and its memory before.

    Gates along ``dim`` are those of the input, of the memory, of the output, and the content.

    >>> h, c = lstm(torch.zeros(1, 4), torch.ones(1, 1))
    >>> c.item()
    0.5
    """
    units = c.shape[dim]
    three, content = torch.split_with_sizes(gates, [3 * units, units], dim)
    let_in, keep, let_out = three.sigmoid().chunk(3, dim)
    c = torch.addcmul(keep * c, let_in, content.tanh())
    return let_out * c.tanh(), c


def remember(layer: MaskedConvolution, units: int) -> MaskedConvolution:
    """The same with a bias of 1 in gates of memories: much is kept at first."""
    with torch.no_grad():
        layer.bias.view(-1, 4, units)[:, 1] += 1
    return layer


def skew(x: Tensor) -> Tensor:
    """Line r moved r columns to the right: (..., H, W, K) to (..., H, W + H - 1, K), 0 elsewhere.

    >>> skew(torch.ones(2, 2, 1))[..., 0].tolist()
    [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]
    """
    height, width, numbers = x.shape[-3:]
    flat = F.pad(x, (0, 0, 0, height)).flatten(-3, -2)[..., : height * (width + height - 1), :]
    return flat.reshape(*x.shape[:-2], width + height - 1, numbers)


def unskew(x: Tensor, width: int) -> Tensor:
    """Undo :func:`skew`."""
    height, _, numbers = x.shape[-3:]
    flat = F.pad(x.flatten(-3, -2), (0, 0, 0, height))
    return flat.reshape(*x.shape[:-2], width + height, numbers)[..., :width, :]
