"""From noise to data, level by level."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generative.noise import denoised, extrapolated

if TYPE_CHECKING:
    from generative.denoising import Denoising, Known


def walk(
    model: Denoising, known: Known, steps: int, eta: float, generator: torch.Generator | None
) -> Iterator[Tensor]:
    """Rows (B, T, D) at each level from the most noise to the least, then their means.

    Values that are seen come with noise of the level all the way, as the net saw them when it
    learned.

    Args:
        model: fitted.
        known: what is known of the rows.
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
    ratios = model.noise.levels(steps).flip(0).tolist()
    noisy, last = start(model, known, generator), None
    for before, ratio, after in zip([0.0, *ratios], ratios, ratios[1:], strict=False):
        yield noisy
        clean = model.estimate(noisy, model.std(ratio, len(noisy)), known)
        ahead = clean
        if last is not None and not eta:
            ahead = extrapolated(last, clean, before, ratio, after)
        fresh = after * model.basis.scale * _normal(noisy, generator)
        noisy = denoised(noisy, ahead, after / ratio, eta, fresh)
        noisy, last = torch.where(known.seen, known.x + fresh, noisy), clean
    yield noisy
    yield model.estimate(noisy, model.std(ratios[-1], len(noisy)), known)


def start(model: Denoising, known: Known, generator: torch.Generator | None) -> Tensor:
    """Rows (B, T, D) with the most noise, as Gaussian data would give them."""
    basis, std = model.basis, model.noise.most * model.basis.scale
    noise = _normal(known.x, generator)
    noisy = basis.mean + basis.back((basis.variances + std.square()).sqrt() * noise)
    return torch.where(known.seen, known.x + std * noise, noisy)


def guess(model: Denoising, known: Known, generator: torch.Generator | None) -> Tensor:
    """E[x | what is seen] (B, T, D), by looking at rows that are noise besides."""
    noisy = start(model, known, generator)
    return model.estimate(noisy, model.std(model.noise.most, len(noisy)), known)


def last(path: Iterator[Tensor]) -> Tensor:
    """The end of a path."""
    *_, end = path
    return end


def _normal(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
