"""From noise to data, level by level."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from generative.denoising import Denoising, Known


def walk(
    model: Denoising,
    n: int,
    known: Known,
    steps: int,
    eta: float,
    generator: torch.Generator | None,
) -> Iterator[Tensor]:
    """Rows (B, T, D) at each level from the most noise to the least, then their means.

    Each step follows the path of Song et al. (2021, eq. 13) down to a noise, and with ``eta`` adds
    fresh noise up to its level. Values that are seen come with noise of the level all the way, as
    the net saw them when it learned.

    Args:
        model: fitted.
        n: how many rows, B.
        known: what is known of them.
        steps: from the most noise to the least.
        eta: 0 for the deterministic path, 1 for draws of the posterior at each step.
        generator: source of the noise.

    Raises:
        ValueError: if a number cannot be used.
    """
    if steps < 1 or not 0 <= eta <= 1:
        raise ValueError(
            f"Diffusion was asked for steps={steps} and eta={eta}; give 1 or more steps, and an "
            "eta from 0 to 1."
        )
    stds = model.noise.levels(steps, model.clock).flip(0) * model.basis.scale
    basis = model.basis
    noisy, last = start(model, n, known, generator), None
    for std, after in itertools.pairwise(stds):
        yield noisy
        fresh = eta * (1 - (after / std) ** 2).sqrt()  # as a part of what comes after
        lower = after * (1 - fresh**2).sqrt()
        turn, level = basis.turn(std, lower), basis.level(std)
        narrowed = basis.narrowed(noisy, level)
        ahead = added = model.added(narrowed, level, known)
        if last is not None and not eta:  # as if it went on changing (Adams & Bashforth)
            ahead = added + turn / (2 * last[1]) * (added - last[0])
        noise = after * _normal(noisy, generator)
        noisy = known.put(basis.move(narrowed, std, lower, ahead) + fresh * noise, noise)
        last = added, turn
    yield noisy
    yield model.estimate(noisy, stds[-1], known)


def start(model: Denoising, n: int, known: Known, generator: torch.Generator | None) -> Tensor:
    """Rows (B, T, D) with the most noise, as Gaussian data would give them."""
    basis, std = model.basis, model.noise.most * model.basis.scale
    noise = _normal(basis.mean.expand(n, *basis.mean.shape), generator)  # along the axes
    noisy = basis.rows((basis.variances + std.square()).sqrt() * noise)
    return known.put(noisy, std * basis.back(noise))


def guess(model: Denoising, known: Known, generator: torch.Generator | None) -> Tensor:
    """E[x | what is seen] (B, T, D), by looking at rows that are noise besides."""
    noisy = start(model, len(known.x), known, generator)
    return model.estimate(noisy, model.noise.most * model.basis.scale, known)


def last(path: Iterator[Tensor]) -> Tensor:
    """The end of a path."""
    *_, end = path
    return end


def _normal(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
