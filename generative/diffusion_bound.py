"""The evidence lower bound of diffusion in infinitely many steps, estimated from a few."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generative.batches import Batch
from generative.latents import log_normal

if TYPE_CHECKING:
    from generative.denoising import Denoising, Known


def bound(model: Denoising, batch: Batch, draws: int, generator: torch.Generator | None) -> Tensor:
    """Bounds on log-densities (B,) in nats, of rows after preprocessing.

    Three terms (Kingma et al. 2021, eqs. 11 and 18): what the most noise still shows of x; all
    that lies between, ½ ∫ |x - E[x | x + τ ε]|² d(1/τ²); and x given its least noisy version.
    With an angle φ, tan φ the ratio of noise to signal, the integral is that of the model's
    ``errors`` over log sin φ; on Gaussian data they are about the same everywhere.

    Args:
        model: fitted.
        batch: rows.
        draws: noise levels for each row, spread over all of them.
        generator: source of levels and noise.
    """
    x, basis, noise = model.windows(batch.x), model.basis, model.noise
    known = model.nothing(batch.context)
    last = float(noise.most * basis.scale)
    total = farthest(basis.along(x - basis.mean), basis.variances, last)
    total = total + nearest(model, x, known, noise.least * basis.scale, generator)
    first, length = log_sine(noise.least), log_sine(noise.most) - log_sine(noise.least)
    start = torch.rand(len(x), generator=generator, dtype=x.dtype, device=x.device)
    for draw in range(draws):
        sine = (first + length * (draw + start) / draws).exp()
        ratio = sine / (1 - sine.square()).clamp(min=1e-6).sqrt()
        error = model.errors(x, known, ratio, generator) * x[0].numel()
        total = total - length / draws * error
    return total


def nearest(
    model: Denoising, x: Tensor, known: Known, std: Tensor, generator: torch.Generator | None
) -> Tensor:
    """log p(x | x + τ ε) (B,) for one draw of the least noise.

    Normal around E[x | x + τ ε], with the variances that Gaussian data would have.
    """
    basis = model.basis
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    clean = model.estimate(x + std * noise, std, known)
    width = std * basis.level(std).share
    return log_normal((basis.along(x - clean) / width).flatten(1)) - width.log().sum()


def farthest(coordinates: Tensor, variances: Tensor, std: float) -> Tensor:
    """Minus KL(q(x + τ ε | x) || p(x + τ ε)) (B,) at the most noise, p as for Gaussian data.

    Args:
        coordinates: of x along the axes (B, T, D).
        variances: along the axes (T, D).
        std: τ.

    >>> farthest(torch.zeros(1, 1, 1), torch.ones(1, 1), 1e3).abs() < 1e-5
    tensor([True])
    """
    wide = variances + std**2
    each = torch.log1p(variances / std**2) + (std**2 + coordinates.square()) / wide - 1
    return -each.sum((1, 2)) / 2


def log_sine(tangent: float) -> float:
    """log sin φ of an angle with this tangent.

    >>> round(log_sine(1.0), 4)
    -0.3466
    """
    return math.log(tangent) - math.log1p(tangent**2) / 2
