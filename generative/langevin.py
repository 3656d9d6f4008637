"""Langevin chains: rows that wander as an energy says, downhill and by noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from generative.training import DivergenceError

Energy = Callable[[Tensor], Tensor]  # of rows (B, D), to (B,)

_FAR = 1e4  # from 0, in units of a row; no chain comes back from there
_WANTED = 0.574  # share of proposals to take (Roberts & Rosenthal 1998)
_ROUNDS = 20  # of power iteration
_HASTE = 0.1  # with which step sizes follow what was taken


@dataclass
class Chains:
    """One chain for each row.

    Attributes:
        x: where the chains are (B, D).
        size: of their steps (B, 1); a step goes size · ∇E downhill, and √(2 · size) at random.
        free: (B, D), True where a value may move; None for everywhere.

    >>> g = torch.Generator().manual_seed(0)
    >>> chains = Chains.at(torch.zeros(2000, 1), 0.5)
    >>> for _ in range(50):
    ...     share = chains.move(lambda x: x.square().sum(1) / 8, g)
    >>> round(chains.x.std().item()), bool(share.mean() > 0.9)
    (2, True)
    """

    x: Tensor
    size: Tensor
    free: Tensor | None = None

    @classmethod
    def at(cls, x: Tensor, size: float, free: Tensor | None = None) -> Chains:
        """Chains that start at rows (B, D), all with steps of one size.

        Raises:
            ValueError: if the size is not positive.
        """
        if not 0 < size < math.inf:
            raise ValueError(f"Langevin steps were given size={size}; it must be positive.")
        return cls(x.detach(), x.new_full((len(x), 1), size), free)

    def move(
        self,
        energy: Energy,
        generator: torch.Generator | None = None,
        *,
        adjusted: bool = True,
        adapt: bool = False,
    ) -> Tensor:
        """One step of each chain; the share (B,) of its proposal that deserves to be taken.

        Args:
            energy: of rows, differentiable.
            generator: source of the noise.
            adjusted: take proposals with the probability of Metropolis and Hastings, which makes
                exp(-E) the limit for steps of any size (Roberts & Tweedie 1996); else all.
            adapt: change the sizes so that the best share is taken.
        """
        noise = _normal(self.x, generator)
        here, slope = value_and_slope(energy, self.x)
        aim = self.x - self.size * slope
        there = aim + (2 * self.size).sqrt() * noise
        if self.free is not None:
            there = torch.where(self.free, there, self.x)
        if not adjusted:
            self.x = there
            return here.new_ones(len(here))
        value, back = value_and_slope(energy, there)
        gap = self._distance(self.x - there + self.size * back) - self._distance(there - aim)
        log_chance = here - value - gap / (4 * self.size[:, 0])
        chance = torch.where(log_chance.isnan(), 0, log_chance.clamp(max=0).exp())
        uniform = torch.rand(
            chance.shape, generator=generator, dtype=chance.dtype, device=chance.device
        )
        self.x = torch.where((uniform < chance)[:, None], there, self.x)
        if adapt:
            self.size = self.size * (_HASTE * (chance - _WANTED)).exp()[:, None]
        return chance

    def check(self, energy: Energy) -> None:
        """Refuse chains that have run away.

        Raises:
            DivergenceError: naming how many, and the largest step that can work.
        """
        gone = ~(self.x.abs() < _FAR).all(1)
        if gone.any():
            raise DivergenceError(
                f"{int(gone.sum())} of {len(gone)} Langevin chains ran away with steps of size "
                f"{float(self.size.max()):g}; {_advice(energy, self.x[~gone])}."
            )

    def _distance(self, gap: Tensor) -> Tensor:
        """Squared lengths (B,), of what may move."""
        gap = gap if self.free is None else torch.where(self.free, gap, 0)
        return gap.square().sum(1)


def largest_step(energy: Energy, x: Tensor) -> float:
    """The size from which on unadjusted steps run away: 2 over the largest curvature at rows.

    The curvature is the largest eigenvalue of the Hessian, by power iteration.

    Args:
        energy: of rows, twice differentiable.
        x: rows (B, D), such as data.

    >>> round(largest_step(lambda x: 2 * x.square().sum(1), torch.ones(1, 3)), 5)
    0.5
    """
    fixed = torch.Generator(x.device).manual_seed(0)
    direction = _normal(x, fixed)
    with torch.enable_grad():
        rows = x.detach().requires_grad_()
        slope = torch.autograd.grad(energy(rows).sum(), rows, create_graph=True)[0]
        for _ in range(_ROUNDS):
            direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-30)
            bent = torch.autograd.grad(slope, rows, direction, retain_graph=True)[0]
            curvature = (direction * bent).sum(1)
            direction = bent.detach()
    steepest = float(curvature.max())
    return 2 / steepest if steepest > 0 else math.inf


def check_step(energy: Energy, x: Tensor, size: float) -> None:
    """Refuse steps that cannot work at rows (B, D) without Metropolis and Hastings.

    Raises:
        ValueError: naming the largest that can.
    """
    largest = largest_step(energy, x)
    if not 0 < size < largest:
        raise ValueError(
            f"Langevin steps of size {size:g} run away from this energy, whose curvature is up to "
            f"{2 / largest:.3g} where data are; take a positive size below {largest:.3g}."
        )


def value_and_slope(energy: Energy, x: Tensor) -> tuple[Tensor, Tensor]:
    """E (B,) and ∇E (B, D) of rows, detached."""
    with torch.enable_grad():
        rows = x.detach().requires_grad_()
        value = energy(rows)
        slope = torch.autograd.grad(value.sum(), rows)[0]
    return value.detach(), slope


def _advice(energy: Energy, x: Tensor) -> str:
    if not len(x):
        return "the energy may have no lower bound: train again with a lower learning rate"
    return f"the largest that can work is {largest_step(energy, x):.3g}"


def _normal(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
