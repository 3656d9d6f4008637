"""Distributions of data given what a decoder puts out: Bernoulli, Gaussian, categorical.

A decoder gives ``outputs`` numbers for each value of x, in the last dimension: (B, ..., outputs)
for x (B, ...). Each likelihood is a description without parameters.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch import distributions as td
from torch.nn import functional as F

from generative.data import check_finite

_UNIT = math.log(math.e - 1)  # softplus of it is 1


@dataclass(frozen=True)
class Likelihood(ABC):
    """p(x | outputs), independent for all values of x."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Numbers that the decoder gives for each value of x."""

    @abstractmethod
    def distribution(self, outputs: Tensor) -> td.Distribution:
        """One distribution for each value: batch shape (B, ...)."""

    @abstractmethod
    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """log p of each value of x, which is broadcast against the outputs."""

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """E[x] (B, ...)."""

    @abstractmethod
    def draw(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draws (B, ...) of x."""

    @abstractmethod
    def check(self, x: Tensor) -> None:
        """Refuse data that have no probability here.

        Raises:
            ValueError: naming the values, and what fits instead.
        """


@dataclass(frozen=True)
class Bernoulli(Likelihood):
    """Bits, or values in [0, 1] that stand for the share of ones.

    >>> Bernoulli().log_prob(torch.zeros(2, 1), torch.tensor([0.0, 1.0])).exp()
    tensor([0.5000, 0.5000])
    >>> Bernoulli().check(torch.tensor([0.0, 3.0]))
    Traceback (most recent call last):
    ValueError: A Bernoulli likelihood was given values from 0 to 3; expected bits ...
    """

    @property
    def outputs(self) -> int:
        """The logit."""
        return 1

    def distribution(self, outputs: Tensor) -> td.Distribution:
        """Bernoulli distributions."""
        return td.Bernoulli(logits=outputs.squeeze(-1), validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """x · logit - softplus(logit)."""
        logits = outputs.squeeze(-1)
        return x * logits - F.softplus(logits)

    def mean(self, outputs: Tensor) -> Tensor:
        """Probabilities of ones."""
        return outputs.squeeze(-1).sigmoid()

    def draw(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Bits."""
        return torch.bernoulli(self.mean(outputs), generator=generator)

    def check(self, x: Tensor) -> None:
        """Refuse values outside [0, 1]."""
        if not ((x >= 0) & (x <= 1)).all():
            raise ValueError(
                f"A Bernoulli likelihood was given values from {x.min().item():g} to "
                f"{x.max().item():g}; expected bits or values in [0, 1]: put Binarise or "
                "DynamicBinarise into the preprocessing, or use another likelihood."
            )


@dataclass(frozen=True)
class Gaussian(Likelihood):
    """Real values with noise of a fixed or a learned variance, in units after preprocessing.

    Args:
        variance: of every value, or ``"learned"``: the decoder gives it beside the mean.
        least: below this a learned variance cannot fall. A value that is always the same would
            otherwise earn any density one likes; ``DropConstant`` removes such values.

    >>> Gaussian(0.5).distribution(torch.zeros(3, 1)).variance
    tensor([0.5000, 0.5000, 0.5000])
    """

    variance: float | Literal["learned"] = 1.0
    least: float = 1e-4

    def __post_init__(self) -> None:
        if isinstance(self.variance, str):
            right = self.variance == "learned"
        else:
            right = 0 < self.variance < math.inf
        if not right:
            raise ValueError(
                f"The variance of a Gaussian likelihood is {self.variance!r}; "
                "expected a positive number or 'learned'."
            )
        if not 0 < self.least < math.inf:
            raise ValueError(
                f"The least variance of a Gaussian likelihood is {self.least!r}; expected a "
                "positive number."
            )

    @property
    def outputs(self) -> int:
        """The mean, and the deviation if it is learned."""
        return 2 if self.variance == "learned" else 1

    def distribution(self, outputs: Tensor) -> td.Distribution:
        """Normal distributions."""
        return td.Normal(self.mean(outputs), self.std(outputs), validate_args=False)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """log N(x; mean, variance)."""
        std = self.std(outputs)
        gap = (x - self.mean(outputs)) / std
        return -gap.square() / 2 - std.log() - math.log(2 * math.pi) / 2

    def mean(self, outputs: Tensor) -> Tensor:
        """The means."""
        return outputs[..., 0]

    def std(self, outputs: Tensor) -> Tensor:
        """The standard deviations, in a shape that fits the means."""
        if self.variance == "learned":
            return F.softplus(outputs[..., 1] + _UNIT) + math.sqrt(self.least)
        return torch.full_like(outputs[..., 0], math.sqrt(self.variance))

    def draw(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Means with noise."""
        mean = self.mean(outputs)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return mean + self.std(outputs) * noise

    def check(self, x: Tensor) -> None:
        """Refuse what is not finite."""
        check_finite(x)


@dataclass(frozen=True)
class Discrete(Likelihood):
    """Whole numbers 0 to levels - 1.

    Args:
        levels: how many values there are.
    """

    levels: int

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ValueError(
                f"{type(self).__name__} was given levels={self.levels}; expected 2 or more."
            )

    @abstractmethod
    def log_probs(self, outputs: Tensor) -> Tensor:
        """Log-probabilities (B, ..., levels) of all levels."""

    def distribution(self, outputs: Tensor) -> td.Distribution:
        """Categorical distributions."""
        return td.Categorical(logits=self.log_probs(outputs), validate_args=False)

    def mean(self, outputs: Tensor) -> Tensor:
        """Σ level · probability, for levels that are an order (shades of grey)."""
        levels = torch.arange(self.levels, dtype=outputs.dtype, device=outputs.device)
        return self.log_probs(outputs).exp() @ levels

    def draw(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Levels."""
        like, shape = outputs, outputs.shape[:-1]
        share = torch.rand(shape, generator=generator, dtype=like.dtype, device=like.device)
        return self.at(outputs, share)

    def at(self, outputs: Tensor, share: Tensor) -> Tensor:
        """The levels (B, ...) at which the distribution functions pass shares in [0, 1).

        Of uniform shares these are draws.
        """
        passed = self.log_probs(outputs).exp().cumsum(-1)[..., :-1]
        return (share[..., None] >= passed).sum(-1).to(outputs.dtype)

    def check(self, x: Tensor) -> None:
        """Refuse what is not one of the levels."""
        if not ((x >= 0) & (x <= self.levels - 1) & (x == x.floor())).all():
            raise ValueError(
                f"A likelihood of {self.levels} levels was given values from {x.min().item():g} "
                f"to {x.max().item():g}; expected whole numbers from 0 to {self.levels - 1}."
            )


@dataclass(frozen=True)
class Categorical(Discrete):
    """Whole numbers 0 to levels - 1, with any probabilities.

    Args:
        levels: how many values there are.

    >>> Categorical(4).log_prob(torch.zeros(2, 4), torch.tensor([0.0, 3.0])).exp()
    tensor([0.2500, 0.2500])
    """

    @property
    def outputs(self) -> int:
        """A logit for each level."""
        return self.levels

    def log_probs(self, outputs: Tensor) -> Tensor:
        """Log-probabilities (B, ..., levels) of all levels."""
        return outputs.log_softmax(-1)

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """The log-probability of the level that x is."""
        log_p = outputs.log_softmax(-1)
        which = x.long() + torch.zeros_like(log_p[..., 0], dtype=torch.long)  # broadcast
        log_p = log_p.expand(*which.shape, self.levels)
        return log_p.gather(-1, which[..., None]).squeeze(-1)

    def draw(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Levels."""
        shares = outputs.softmax(-1).reshape(-1, self.levels)
        which = torch.multinomial(shares, 1, generator=generator)
        return which.to(outputs.dtype).reshape(outputs.shape[:-1])
