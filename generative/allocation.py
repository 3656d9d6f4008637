"""Priors over how a mixture's weights are shared out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

Allocation = Literal["dirichlet process", "dirichlet"]


@dataclass(frozen=True)
class Weights:
    """A prior over weights, and what follows from the counts of rows (K,), largest first.

    Attributes:
        kind: sticks broken off without end (Blei & Jordan 2006), or a symmetric Dirichlet.
        concentration: of the process, or of the Dirichlet for each of its components.
        components: of the Dirichlet; those beyond the counts given have no rows.
    """

    kind: Allocation
    concentration: float
    components: int

    def __post_init__(self) -> None:
        """Refuse a prior that is none.

        Raises:
            ValueError: if the kind is unknown.
        """
        if self.kind not in get_args(Allocation):
            choices = ", ".join(get_args(Allocation))
            raise ValueError(f"The prior is {self.kind!r}; expected one of {choices}.")

    def evidence(self, count: Tensor) -> Tensor:
        """Log-probability () that rows fall to components in these numbers."""
        c = self.concentration
        if self.kind == "dirichlet":
            zero = torch.as_tensor(self.components * c).to(count)
            own = torch.lgamma(c + count) - torch.lgamma(torch.full_like(count, c))
            return own.sum() + torch.lgamma(zero) - torch.lgamma(zero + count.sum())
        a, b = 1 + count, c + _after(count)
        one, gamma = torch.ones_like(count), torch.full_like(count, c)
        return (_log_beta(a, b) - _log_beta(one, gamma)).sum()

    def expected_logs(self, count: Tensor) -> Tensor:
        """E log of each weight (K,)."""
        c = self.concentration
        if self.kind == "dirichlet":
            return torch.digamma(c + count) - torch.digamma(self.components * c + count.sum())
        a, b = 1 + count, c + _after(count)
        rest = torch.digamma(b) - torch.digamma(a + b)
        return torch.digamma(a) - torch.digamma(a + b) + rest.cumsum(0) - rest

    def expected(self, count: Tensor) -> Tensor:
        """Expected weights (K,), divided by their sum: what no component holds is shared out."""
        c = self.concentration
        if self.kind == "dirichlet":
            weights = c + count
        else:
            a, b = 1 + count, c + _after(count)
            rest = (b / (a + b)).cumprod(0)
            weights = a / (a + b) * torch.cat([torch.ones_like(rest[:1]), rest[:-1]])
        return weights / weights.sum()


def _after(count: Tensor) -> Tensor:
    """How many rows all later components have (K,)."""
    return (count.sum() - count.cumsum(0)).clamp(min=0)


def _log_beta(a: Tensor, b: Tensor) -> Tensor:
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
