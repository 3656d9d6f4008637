"""Latent variables of variational autoencoders: a prior, and a family of posteriors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.nn import functional as F

_LEAST_STD = 1e-6  # keeps log q finite where the net asks for a point
_UNIT = math.log(math.e - 1)  # softplus of it is 1: an untrained posterior is about as wide as p(z)


class Posterior(ABC):
    """q(z | x) for B rows, reparameterised: draws carry gradients to what it was made from."""

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draws z (n, B, Z) and their log-densities log q(z | x) (n, B)."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density (n, B) of any z (n, B, Z)."""

    @abstractmethod
    def kl(self, z: Tensor, log_q: Tensor) -> Tensor:
        """KL(q || p) (B,) in nats: exact, or else estimated from what :meth:`sample` gave."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """E[z] (B, Z), exact or estimated."""

    @property
    @abstractmethod
    def mode(self) -> Tensor:
        """One z (B, Z) that stands for the others."""

    @property
    @abstractmethod
    def distribution(self) -> Distribution:
        """The same as a distribution of batch shape (B,) and event shape (Z,)."""

    def metrics(self) -> dict[str, Tensor]:
        """Scalars worth a line in the log."""
        return {}


@dataclass(frozen=True)
class Latent(ABC):
    """A prior p(z) and a family of posteriors q(z | x): the description, without parameters."""

    width: int
    """Z, the numbers in z."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"A latent variable of width {self.width} was asked for; give 1 up.")

    @abstractmethod
    def head(self, features: int) -> nn.Module:
        """A module that makes a :class:`Posterior` of an encoder's features (B, features)."""

    @abstractmethod
    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) (...) of z (..., Z)."""

    @abstractmethod
    def sample_prior(
        self, n: int, like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draws (n, Z) of p(z), of the precision and on the device of ``like``."""


@dataclass(frozen=True)
class StandardNormal(Latent):
    """The prior N(0, I), for posteriors of any kind."""

    def log_prior(self, z: Tensor) -> Tensor:
        """log N(z; 0, I)."""
        return log_normal(z)

    def sample_prior(
        self, n: int, like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draws (n, Z) of N(0, I)."""
        return torch.randn(n, self.width, generator=generator, dtype=like.dtype, device=like.device)


@dataclass(frozen=True)
class DiagonalGaussian(StandardNormal):
    """Prior N(0, I), posteriors N(μ(x), diag σ²(x)) (Kingma & Welling 2014, eq. 9).

    >>> head = DiagonalGaussian(2).head(16)
    >>> z, log_q = head(torch.zeros(5, 16)).sample(3)
    >>> z.shape, log_q.shape
    (torch.Size([3, 5, 2]), torch.Size([3, 5]))
    """

    def head(self, features: int) -> nn.Module:
        """A linear map to mean and standard deviation."""
        return GaussianHead(features, self.width)


class GaussianHead(nn.Module):
    """Features to a diagonal Gaussian, one linear map."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * width)

    def forward(self, features: Tensor) -> GaussianPosterior:
        """The posterior of features (B, F)."""
        mean, raw = self.linear(features).chunk(2, -1)
        return GaussianPosterior(mean, F.softplus(raw + _UNIT) + _LEAST_STD)


class GaussianPosterior(Posterior):
    """N(mean, diag std²) for B rows, against the prior N(0, I).

    Args:
        mean: (B, Z).
        std: (B, Z), positive.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        self._mean = mean
        self.std = std

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """mean + std · noise."""
        noise = torch.randn(
            n, *self.std.shape, generator=generator, dtype=self.std.dtype, device=self.std.device
        )
        return self._mean + self.std * noise, log_normal(noise) - self.std.log().sum(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """log N(z; mean, diag std²)."""
        return log_normal((z - self._mean) / self.std) - self.std.log().sum(-1)

    def kl(self, z: Tensor, log_q: Tensor) -> Tensor:
        """½ Σ (μ² + σ² - 1 - log σ²) (Kingma & Welling 2014, appendix B), whatever was drawn."""
        each = (self._mean.square() + self.std.square() - 1) / 2 - self.std.log()
        return each.sum(-1)

    @property
    def mean(self) -> Tensor:
        """The mean."""
        return self._mean

    @property
    def mode(self) -> Tensor:
        """The mean."""
        return self._mean

    @property
    def distribution(self) -> Distribution:
        """Independent normals."""
        return Independent(
            Normal(self._mean, self.std, validate_args=False), 1, validate_args=False
        )


def log_normal(z: Tensor) -> Tensor:
    """log N(z; 0, I) (...) of z (..., Z).

    >>> log_normal(torch.zeros(1))
    tensor(-0.9189)
    """
    return -(z.square().sum(-1) + z.shape[-1] * math.log(2 * math.pi)) / 2
