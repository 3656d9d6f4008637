"""Completing rows with an energy: Langevin chains in which what is observed stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from generative.langevin import Chains

if TYPE_CHECKING:
    from generative.energy import EnergyModel

_SIZE = 0.01  # of the first steps, in units of each value's spread; they adapt


def complete(
    model: EnergyModel, x: Tensor, seen: Tensor, steps: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Draw what is hidden from p(hidden | observed).

    Steps adapt to each row over the first half, in which chains settle; the second half counts.

    Args:
        model: fitted.
        x: rows after preprocessing (B, *shape), hidden values anything finite.
        seen: (B, *shape), True where a value is observed.
        steps: of each chain.
        generator: source of the noise.

    Returns:
        Rows (B, *shape) with the mean of what is hidden over the second half, and with its last
        draw.
    """
    mean, std = model.basis.mean[0], model.basis.std[0]  # (W,)

    def energy(z: Tensor) -> Tensor:
        return model.white_energy(model.white(mean + std * z))

    hidden = ~seen.flatten(1)
    noise = torch.randn(hidden.shape, generator=generator, dtype=x.dtype, device=x.device)
    start = torch.where(hidden, noise, (x.flatten(1) - mean) / std)
    chains = Chains.at(start, _SIZE, hidden)
    total = torch.zeros_like(start)
    kept = steps - steps // 2
    for step in range(steps):
        settled = step >= steps // 2
        chains.move(energy, generator, adapt=not settled)
        if settled:
            total += chains.x / kept
    filled = [(mean + std * z).view_as(x) for z in (total, chains.x)]
    return torch.where(seen, x, filled[0]), torch.where(seen, x, filled[1])
