"""Pixels drawn one by one, by a net that tells each from those before it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from generative.likelihoods import Discrete
from generative.raster_nets import RasterNet, RasterWalk

Report = Callable[[int, int], None]


def to_units(x: Tensor, levels: int) -> Tensor:
    """Levels as nets see them, from -1 to 1."""
    return x * (2 / (levels - 1)) - 1


@torch.no_grad()
def complete(
    net: RasterNet,
    likelihood: Discrete,
    image: Tensor,
    seen: Tensor,
    shares: Tensor,
    context: Tensor | None = None,
    *,
    report: Report | None = None,
) -> Tensor:
    """Draw what is not seen, each pixel computing only what it changes.

    Args:
        net: the net.
        likelihood: of its numbers.
        image: levels (B, C, H, W), anything finite where not seen.
        seen: (B, C, H, W), True for a beginning in the order of pixels.
        shares: uniform in [0, 1) (B, C, H, W); a function of them is drawn.
        context: (B, K), if the net is conditional.
        report: called after each line with the number of those that are done, and of all.
    """
    image = image.clone()
    given = to_units(image, likelihood.levels)
    walk = RasterWalk(net, given, context)
    colours, height, width = image.shape[1:]
    hidden = (~seen).any(0).movedim(0, -1).tolist()  # (H, W, C)
    for line in range(height):
        walk.line(line)
        needed = walk.remembers or any(map(any, hidden[line]))
        for column in range(width if needed else 0):
            if not any(hidden[line][column]):
                walk.pixel(column)
                continue
            for colour in range(colours):
                if hidden[line][column][colour]:
                    at = (slice(None), colour, line, column)
                    drawn = likelihood.at(walk.pixel(column)[:, colour], shares[at])
                    image[at] = torch.where(seen[at], image[at], drawn)
                    given[at] = to_units(image[at], likelihood.levels)
        if report is not None:
            report(line + 1, height)
    return image


@torch.no_grad()
def complete_naively(
    net: RasterNet,
    likelihood: Discrete,
    image: Tensor,
    seen: Tensor,
    shares: Tensor,
    context: Tensor | None = None,
) -> Tensor:
    """The same as :func:`complete`, by computing the whole image for each value: the reference."""
    image = image.clone()
    colours, height, width = image.shape[1:]
    for line in range(height):
        for column in range(width):
            for colour in range(colours):
                at = (slice(None), colour, line, column)
                numbers = net(to_units(image, likelihood.levels), context)[at]
                image[at] = torch.where(seen[at], image[at], likelihood.at(numbers, shares[at]))
    return image
