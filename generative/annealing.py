"""From a normal distribution to an energy in small steps: draws, and what the energy sums up to."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from generative.langevin import Chains, Energy

_SIZE = 0.5  # of the first steps; they adapt


class Annealed(NamedTuple):
    """What annealed importance sampling gives.

    Attributes:
        x: where the chains ended (B, D).
        log_weights: of the chains (B,); in the mean, their exponentials are the ratio of
            normalisers.
    """

    x: Tensor
    log_weights: Tensor

    def log_normaliser(self) -> float:
        """Log of the ratio of normalisers."""
        return float(self.log_weights.double().logsumexp(0)) - math.log(len(self.log_weights))

    def standard_error(self) -> float:
        """Of the log normaliser, by the delta method; too small where few chains weigh much."""
        weights = (self.log_weights - self.log_weights.max()).double().exp()
        return float(weights.std() / weights.mean() / len(weights) ** 0.5)


def anneal(
    added: Energy,
    start: Tensor,
    temperatures: int,
    generator: torch.Generator | None = None,
    *,
    moves: int = 1,
) -> Annealed:
    """Annealed importance sampling (Neal 2001) from N(0, I) to exp(-|x|²/2 - added(x)).

    The energies between are |x|²/2 + β · added(x), β rising from 0 to 1; at each β the chains
    make Langevin moves that leave its distribution as it is.

    Args:
        added: to the energy of N(0, I), for rows (B, D).
        start: draws of N(0, I) (B, D).
        temperatures: how many β there are above 0.
        generator: source of the noise.
        moves: at each β.

    Raises:
        ValueError: if there are no temperatures.

    >>> g = torch.Generator().manual_seed(0)
    >>> rows = torch.randn(500, 2, generator=g)
    >>> done = anneal(lambda x: 1.5 * x.square().sum(1), rows, 50, g)  # in all |x|² · 4 / 2
    >>> abs(done.log_normaliser() + 2 * math.log(2)) < 0.1
    True
    """
    if temperatures < 1:
        raise ValueError(f"Annealing was asked for with temperatures={temperatures}; give 1 up.")
    chains = Chains.at(start, _SIZE)
    weights = start.new_zeros(len(start))
    for step in range(1, temperatures + 1):
        beta = step / temperatures
        with torch.no_grad():
            weights = weights - added(chains.x) / temperatures

        def energy(x: Tensor, beta: float = beta) -> Tensor:
            return x.square().sum(1) / 2 + beta * added(x)

        for _ in range(moves):
            chains.move(energy, generator, adapt=True)
    return Annealed(chains.x, weights)
