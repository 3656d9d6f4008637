"""A convolution that is blind to what follows a pixel, over whole images or pixel by pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generative.raster_masks import kernel_mask


class MaskedConvolution(nn.Module):
    """Sees lines above, its own line to the left, and of its own pixel what a mask allows.

    Args:
        own: (O, I), which inputs of its own pixel each output sees.
        above: how many lines above it sees.
        kernel: columns that it sees of them, the middle one its own; to the left, half of them.

    >>> layer = MaskedConvolution(torch.zeros(4, 1, dtype=torch.bool), above=2, kernel=3)
    >>> layer(torch.randn(5, 1, 8, 8)).shape
    torch.Size([5, 4, 8, 8])
    """

    mask: Tensor

    def __init__(self, own: Tensor, above: int = 0, kernel: int = 1) -> None:
        super().__init__()
        mask = kernel_mask(own, above, kernel).float()
        outputs, inputs, lines, columns = mask.shape
        made = nn.Conv2d(inputs, outputs, (lines, columns))
        assert made.bias is not None
        self.weight, self.bias = made.weight, made.bias
        self.register_buffer("mask", mask, persistent=False)
        self.above, self.side = above, kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, H, W) to (B, O, H, W)."""
        if self.above or self.side:
            right = self.side if self.above else 0
            x = F.pad(x, (self.side, right, self.above, 0))
        return F.conv2d(x, self.weight * self.mask, self.bias)

    def from_above(self, lines: Tensor) -> Tensor:
        """What the lines above (B, I, above, W) add to each pixel of a line, bias and all.

        Returns:
            (B, W, O); (1, W, O) if no lines above are seen.
        """
        if not self.above:
            return self.bias.expand(1, lines.shape[3], -1)
        weight = (self.weight * self.mask)[:, :, :-1]
        seen = F.pad(lines, (self.side, self.side))
        return F.conv2d(seen, weight, self.bias).squeeze(2).mT

    def taps(self) -> Tensor:
        """The weights (T · I, O) of the own line, from the left to the own pixel."""
        weight = (self.weight * self.mask)[:, :, -1, : self.side + 1]
        return weight.permute(2, 1, 0).reshape(-1, len(weight)).contiguous()


class Line:
    """The own line of a convolution, one pixel after another.

    Args:
        layer: whose line it is.
        rows: B.
        width: W.
    """

    def __init__(self, layer: MaskedConvolution, rows: int, width: int) -> None:
        self.weight, self.bias, self.side = layer.taps(), layer.bias, layer.side
        self.inputs = len(self.weight) // (self.side + 1)
        self.seen = self.weight.new_zeros(rows, self.side + width, self.inputs)  # zeros at the left

    def at(self, column: int, x: Tensor, base: Tensor | None = None) -> Tensor:
        """The output (B, O) at a column, for its input x (B, I).

        It is added to ``base`` (B or 1, O), or to the bias if none is given.
        """
        if self.side:
            self.put(column, x)
            x = self.seen[:, column : column + self.side + 1].flatten(1)
        return torch.addmm(self.bias if base is None else base, x, self.weight)

    def put(self, column: int, x: Tensor) -> None:
        """Replace the input (B, I) at a column."""
        self.seen[:, self.side + column] = x


def lines_above(image: Tensor, line: int, count: int) -> Tensor:
    """The lines (B, I, count, W) above a line of an image (B, I, H, W), 0 outside.

    >>> lines_above(torch.ones(1, 1, 4, 2), line=1, count=2).tolist()
    [[[[0.0, 0.0], [1.0, 1.0]]]]
    """
    start = max(line - count, 0)
    return F.pad(image[:, :, start:line], (0, 0, count - (line - start), 0))


def next_line(lines: Tensor, new: Tensor | None = None) -> Tensor:
    """Lines (B, I, n, W) without the first one, and with a new one (B, I, 1, W) or zeros behind."""
    new = torch.zeros_like(lines[:, :, :1]) if new is None else new
    return torch.cat([lines[:, :, 1:], new], 2)
