"""Who may look at whom where pixels come one by one: masks, and sizes that they can be made for.

Pixels come line by line, from left to right, and within a pixel one colour after another. The
channels of a net are shared out to the colours, and those of a colour are blind to it and to what
comes after it (van den Oord et al. 2016a, §3.4).
"""

from __future__ import annotations

import torch
from torch import Tensor

from generative.data import check_positive


def groups(channels: int, colours: int) -> Tensor:
    """The colour (channels,) that each channel belongs to: equal shares, in order.

    >>> groups(6, 3)
    tensor([0, 0, 1, 1, 2, 2])
    """
    return torch.arange(colours).repeat_interleave(channels // colours)


def own_mask(outputs: Tensor, inputs: Tensor, strict: bool = False) -> Tensor:
    """Which inputs (O, I) of its own pixel each output may look at.

    Args:
        outputs: colours (O,) of the outputs.
        inputs: colours (I,) of the inputs.
        strict: inputs are the colours themselves, each output sees those before its own (mask A);
            else they are channels, which are blind enough already (mask B).

    >>> own_mask(groups(3, 3), groups(3, 3), strict=True).int()
    tensor([[0, 0, 0],
            [1, 0, 0],
            [1, 1, 0]], dtype=torch.int32)
    """
    return inputs < outputs[:, None] if strict else inputs <= outputs[:, None]


def kernel_mask(own: Tensor, above: int, kernel: int) -> Tensor:
    """Which weights (O, I, above + 1, columns) of a convolution count.

    All of the lines above, those to the left in the own line, and ``own`` (O, I) at the own pixel.
    Where no lines above are looked at, the columns to the right are left out.

    >>> kernel_mask(torch.tensor([[False]]), above=1, kernel=3).int()
    tensor([[[[1, 1, 1],
              [1, 0, 0]]]], dtype=torch.int32)
    """
    middle = kernel // 2
    mask = torch.ones(*own.shape, above + 1, kernel if above else middle + 1, dtype=torch.bool)
    mask[:, :, above, middle] = own
    mask[:, :, above, middle + 1 :] = False
    return mask


def nearest(channels: int, colours: int) -> int:
    """The number nearest to ``channels`` that can be shared out to so many colours.

    >>> nearest(64, 3), nearest(1, 3)
    (63, 3)
    """
    return max(1, round(channels / colours)) * colours


def check_sizes(owner: str, channels: int, kernels: tuple[int, ...], blocks: int) -> None:
    """Refuse sizes that no net can have.

    Raises:
        ValueError: naming the nearest kernels that can be had.
    """
    check_positive(owner, channels=channels, blocks=blocks)
    for kernel in kernels:
        if kernel < 1 or kernel % 2 == 0:
            near = f"{max(kernel - 1, 1)} or {kernel + 1}" if kernel > 0 else "1 or 3"
            raise ValueError(
                f"{owner} was given a kernel of {kernel}, which has no middle; the nearest that "
                f"do are {near}."
            )


def check_channels(owner: str, channels: int, colours: int) -> None:
    """Refuse channels that cannot be shared out.

    Raises:
        ValueError: naming the nearest number that can.
    """
    if channels % colours:
        raise ValueError(
            f"{owner} was given channels={channels}, which cannot be shared out equally to "
            f"{colours} colours or features; the nearest that can are {nearest(channels, colours)}."
        )


def check_prefix(seen: Tensor) -> None:
    """Refuse masks that show a pixel behind a hidden one.

    Args:
        seen: (B, C, H, W), True where a value is observed.

    Raises:
        ValueError: naming the first such row and place.
    """
    order = seen.movedim(1, -1)  # (B, H, W, C), as values are drawn
    flat = order.flatten(1)
    wrong = (flat & ~flat.cummin(1).values).nonzero()
    if len(wrong):
        row, at = wrong[0].tolist()
        _, height, width, colours = order.shape
        line, column, colour = at // (width * colours), at // colours % width, at % colours
        place = f"line {line}, column {column}" if height > 1 else f"step {column}"
        raise ValueError(
            f"The mask of row {row} shows {place}, channel {colour}, behind something hidden; a "
            "model that goes line by line (or step by step) can only complete what follows an "
            "observed beginning: hide all from some place on."
        )
