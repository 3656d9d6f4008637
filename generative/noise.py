"""How much noise diffusion adds.

Rows are noised as x + τ ε, and a level is named by its ratio: τ in units of the spread of the
data. With a signal that is kept, rather than one that shrinks, all formulas are short; divided by
√(1 + ratio²) it is the usual diffusion that preserves variance, and the same model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_POINTS = 512  # at which the clock is known


@dataclass(frozen=True)
class Noise:
    """The ratios of noise to signal that a diffusion goes through, and its time.

    Along an axis on which data have the spread s, the angle atan(τ / s) tells how far noise has
    covered them: on one axis it is the time of the cosine schedule (Nichol & Dhariwal 2021), which
    other schedules shift (Hoogeboom et al. 2023). Windows have wide axes, such as the phase of a
    gait, that noise covers long after the others. So the time u is the mean of the angles of all
    axes, each counting as much as it is wide. Training draws u evenly from [0, 1], and samples go
    through even times.

    Raises:
        ValueError: if the ratios are not positive and in order.

    >>> noise = Noise(least=0.01, most=100.0, centre=1.0)
    >>> noise.ratio(torch.tensor([0.0, 0.5, 1.0]), noise.clock(torch.ones(1)))
    tensor([1.0000e-02, 1.0000e+00, 1.0000e+02])
    """

    least: float = 0.01
    """The smallest; what is finer in the data is lost."""
    most: float = 50.0
    """The largest; there, nothing should be seen of the data."""
    centre: float = 0.5
    """Around which training puts most of its effort, in units of the spread of each axis."""

    def __post_init__(self) -> None:
        if not 0 < self.least < self.centre < self.most < math.inf:
            raise ValueError(
                f"Noise was given least={self.least}, centre={self.centre} and most={self.most}; "
                "expected 0 < least < centre < most."
            )

    def clock(self, spreads: Tensor) -> Tensor:
        """Times (K,) of ratios whose logarithms are even from ``least`` to ``most``.

        Args:
            spreads: of the data along each axis, of any shape, in units of their spread over all.
        """
        wide = spreads.double().flatten()
        ratios = self._logs(wide).exp()  # (K,)
        angles = torch.atan(ratios[:, None] / (self.centre * wide)) @ wide
        return ((angles - angles[0]) / (angles[-1] - angles[0])).to(spreads.dtype)

    def ratio(self, u: Tensor, clock: Tensor) -> Tensor:
        """Ratios at times in [0, 1].

        Args:
            u: of any shape.
            clock: (K,).
        """
        after = torch.searchsorted(clock, u.contiguous()).clamp(1, len(clock) - 1)
        share = (u - clock[after - 1]) / (clock[after] - clock[after - 1])
        logs = self._logs(clock)
        return torch.lerp(logs[after - 1], logs[after], share).exp()

    def levels(self, steps: int, clock: Tensor) -> Tensor:
        """Ratios (steps + 1,) at even times, rising."""
        times = torch.linspace(0, 1, steps + 1, dtype=clock.dtype, device=clock.device)
        return self.ratio(times, clock)

    def _logs(self, like: Tensor) -> Tensor:
        ends = math.log(self.least), math.log(self.most)
        return torch.linspace(*ends, _POINTS, dtype=like.dtype, device=like.device)


def spread_evenly(rows: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform draws (rows,) of which each equal part of [0, 1] gets one: their mean varies less."""
    start = torch.rand(rows, generator=generator, dtype=like.dtype, device=like.device)
    return (torch.arange(rows, dtype=like.dtype, device=like.device) + start) / rows
