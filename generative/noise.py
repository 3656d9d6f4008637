"""How much noise diffusion adds, and how it is taken away again.

Rows are noised as x + τ ε, and a level is named by its ratio: τ in units of the spread of the
data. With a signal that is kept, rather than one that shrinks, all formulas are short; divided by
√(1 + ratio²) it is the usual diffusion that preserves variance, and the same model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Noise:
    """The ratios of noise to signal that a diffusion goes through.

    Training draws u evenly from [0, 1], and u is the time of the sampler. With ``centre`` 1 it is
    the cosine schedule (Nichol & Dhariwal 2021), shifted by another one (Hoogeboom et al. 2023).

    Raises:
        ValueError: if the ratios are not positive and in order.

    >>> Noise(least=0.01, most=100.0, centre=1.0).ratio(torch.tensor([0.0, 0.5, 1.0]))
    tensor([1.0000e-02, 1.0000e+00, 1.0000e+02])
    """

    least: float = 0.01
    """The smallest; what is finer in the data is lost."""
    most: float = 20.0
    """The largest; there, nothing should be seen of the data."""
    centre: float = 0.5
    """Around which training puts most of its effort."""

    def __post_init__(self) -> None:
        if not 0 < self.least < self.centre < self.most < math.inf:
            raise ValueError(
                f"Noise was given least={self.least}, centre={self.centre} and most={self.most}; "
                "expected 0 < least < centre < most."
            )

    def ratio(self, u: Tensor) -> Tensor:
        """Ratios at times in [0, 1]; time is an angle, from nearly no noise to nearly nothing else.

        Args:
            u: of any shape.
        """
        first, last = math.atan(self.least / self.centre), math.atan(self.most / self.centre)
        return self.centre * torch.tan(torch.lerp(torch.full_like(u, first), u * 0 + last, u))

    def levels(self, steps: int) -> Tensor:
        """Ratios (steps + 1,) at even times, rising, in float64."""
        return self.ratio(torch.linspace(0, 1, steps + 1, dtype=torch.float64))


def denoised(noisy: Tensor, clean: Tensor, ratio: float, eta: float, noise: Tensor) -> Tensor:
    """One step to less noise (Song et al. 2021, eq. 12, where the signal keeps its size).

    Args:
        noisy: x + τ ε, of any shape.
        clean: E[x | noisy].
        ratio: of the new τ' to τ, at most 1.
        eta: 0 leaves out the randomness (DDIM), 1 draws from q(x_i | x_{i+1}, x) (DDPM).
        noise: standard normal times τ'.

    >>> x = torch.ones(1)
    >>> denoised(x + 0.8, x, 0.5, eta=0.0, noise=torch.zeros(1))
    tensor([1.4000])
    """
    fresh = eta * math.sqrt(1 - ratio**2)  # as a part of τ'
    return clean + ratio * math.sqrt(1 - fresh**2) * (noisy - clean) + fresh * noise


def extrapolated(last: Tensor, clean: Tensor, before: float, ratio: float, after: float) -> Tensor:
    """E[x | noisy] on the way to the next level, from those at this and the last one.

    As if it changed evenly with the logarithm of the noise (Lu et al. 2022, DPM-Solver++ 2M).

    Args:
        last: E[x | noisy] at the last level, of any shape.
        clean: at this one.
        before: noise of the last level.
        ratio: of this one.
        after: of the next one.

    >>> extrapolated(torch.tensor(1.0), torch.tensor(2.0), 4.0, 2.0, 1.0)
    tensor(2.5000)
    """
    ahead = math.log(ratio / after) / math.log(before / ratio) / 2
    return clean + ahead * (clean - last)


def spread_evenly(rows: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform draws (rows,) of which each equal part of [0, 1] gets one: their mean varies less."""
    start = torch.rand(rows, generator=generator, dtype=like.dtype, device=like.device)
    return (torch.arange(rows, dtype=like.dtype, device=like.device) + start) / rows
