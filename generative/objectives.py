"""What energies are learned by: noise contrast, contrastive divergence, denoising score matching.

All work on white rows w, of a distribution ∝ exp(-|w|²/2 - f(w)), where the net gives f. So
everything starts from N(0, I).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from generative.data import check_positive
from generative.langevin import Chains

Net = Callable[[Tensor], Tensor]  # f of rows (B, D), to (B,)


@dataclass(frozen=True)
class Objective(ABC):
    """How the net learns: the description, without state."""

    chains: ClassVar[int] = 0
    """How many chains it keeps from step to step."""
    normalised: ClassVar[bool] = False
    """Whether f learns the constant that makes the density sum up to 1."""

    @abstractmethod
    def loss(
        self, net: Net, rows: Tensor, kept: Tensor, generator: torch.Generator | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """``"loss"`` and metrics of white rows (B, D), and the kept chains (K, D) after it."""


@dataclass(frozen=True)
class NoiseContrast(Objective):
    """Tell data from draws of N(0, I) (Gutmann & Hyvärinen 2012, eq. 3).

    The best f is log N(w; 0, I) - log p(w), whose density sums up to 1 by itself.
    """

    normalised = True

    ratio: int = 4
    """Draws of noise for each row."""

    def __post_init__(self) -> None:
        check_positive("NoiseContrast", ratio=self.ratio)

    def loss(
        self, net: Net, rows: Tensor, kept: Tensor, generator: torch.Generator | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Cross-entropy of a classifier whose logit is minus f, real and fake weighing alike."""
        size = (self.ratio * len(rows), rows.shape[1])
        noise = torch.randn(size, generator=generator, dtype=rows.dtype, device=rows.device)
        f = net(torch.cat([rows, noise]))
        loss = F.softplus(f[: len(rows)]).mean() + F.softplus(-f[len(rows) :]).mean()
        return {"loss": loss}, kept


@dataclass(frozen=True)
class ContrastiveDivergence(Objective):
    """Lower the energy of data, raise it where Langevin chains go (Hinton 2002; Tieleman 2008).

    The gradient of the log-likelihood, if the chains have the distribution of the model. Chains
    that start at data (short runs) need few steps to show what is wrong near the data; persistent
    ones go on from where they were, and find what is wrong elsewhere too.
    """

    steps: int = 10
    """Of a chain, for each step of training."""
    size: float = 0.1
    """Of a Langevin step, of rows of variance 1."""
    persistent: int = 0
    """How many chains are kept; 0 starts them at data."""

    def __post_init__(self) -> None:
        check_positive("ContrastiveDivergence", steps=self.steps, size=self.size)
        if self.persistent < 0:
            raise ValueError(
                f"ContrastiveDivergence was given persistent={self.persistent}; give 0 or more."
            )

    @property
    def chains(self) -> int:  # type: ignore[override]
        """As many as persist."""
        return self.persistent

    def loss(
        self, net: Net, rows: Tensor, kept: Tensor, generator: torch.Generator | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Mean energy of data less that of chains; how far those are from 0 is watched."""
        start, which = rows, None
        if self.persistent:
            which = torch.randperm(len(kept), generator=generator, device=rows.device)[: len(rows)]
            start = kept[which]
        chains = Chains.at(start, self.size)
        share = rows.new_zeros(())
        for _ in range(self.steps):
            share = chains.move(lambda x: _energy(net, x), generator).mean()
        if which is not None:
            kept = kept.index_copy(0, which, chains.x)
        loss = _energy(net, rows).mean() - _energy(net, chains.x).mean()
        distance = chains.x.square().mean()
        return {"chain_distance": distance, "loss": loss, "taken": share}, kept


@dataclass(frozen=True)
class ScoreMatching(Objective):
    """Point from noisy rows to clean ones (Vincent 2011, eq. 9).

    Learns ∇ log p of data with a little noise added.
    """

    noise: float = 0.2
    """Its standard deviation, of rows of variance 1."""

    def __post_init__(self) -> None:
        check_positive("ScoreMatching", noise=self.noise)

    def loss(
        self, net: Net, rows: Tensor, kept: Tensor, generator: torch.Generator | None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Mean square of σ ∇E(w + σ ε) - ε, less what no model can explain."""
        noise = torch.randn(rows.shape, generator=generator, dtype=rows.dtype, device=rows.device)
        with torch.enable_grad():  # also in validation
            noisy = (rows + self.noise * noise).detach().requires_grad_()
            total = _energy(net, noisy).sum()
            slope = torch.autograd.grad(total, noisy, create_graph=True)[0]
        error = (self.noise * slope - noise).square() - noise.square()
        return {"loss": error.mean() / self.noise**2}, kept


def _energy(net: Net, x: Tensor) -> Tensor:
    return x.square().sum(1) / 2 + net(x)
