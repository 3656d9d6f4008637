"""Latent variables on a sphere (Davidson et al. 2018, arXiv 1804.00891)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence
from torch.nn import functional as F

from generative.latents import Latent, Posterior
from generative.sphere import HypersphericalUniform, check_sphere
from generative.von_mises_fisher import VonMisesFisher

_MOST = 16.0  # log κ; points spread 1 / 3000 of the radius, the least that float32 resolves well


@dataclass(frozen=True)
class Hypersphere(Latent):
    """A uniform prior on a sphere in R^width, posteriors von Mises-Fisher.

    With it a VAE is the hyperspherical VAE of Davidson et al. (2018). The sphere has no centre
    that posteriors are drawn to, and its KL divergence has a closed form in the concentration
    alone. Its dimension is one less than ``width``: as many directions as N(0, I) of width - 1
    has. Its radius is sqrt(width), so that each number has the variance 1, as under N(0, I).

    >>> posterior = Hypersphere(4).head(16)(torch.randn(5, 16))
    >>> z, log_q = posterior.sample(3)
    >>> z.shape, bool(torch.allclose(z.norm(dim=-1), torch.tensor(2.0)))
    (torch.Size([3, 5, 4]), True)
    """

    def __post_init__(self) -> None:
        check_sphere(self.width)

    @property
    def radius(self) -> float:
        """Of the sphere."""
        return math.sqrt(self.width)

    def head(self, features: int) -> nn.Module:
        """A linear map to direction and concentration."""
        return VonMisesFisherHead(features, self)

    def prior(self, like: Tensor | None = None) -> HypersphericalUniform:
        """p(z), with samples of the precision and on the device of ``like``."""
        return HypersphericalUniform(self.width, self.radius, like)

    def log_prior(self, z: Tensor) -> Tensor:
        """Minus the logarithm of the sphere's area."""
        return self.prior().log_prob(z)

    def sample_prior(
        self, n: int, like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Uniform points of the sphere."""
        return self.prior(like).sample((n,), generator)


class VonMisesFisherHead(nn.Module):
    """Features to a direction and log κ, one linear map.

    Where κ is large the KL divergence grows by (Z - 1) / 2 with each unit of log κ. κ itself, made
    as softplus(r) + 1, would have to move by hundreds.
    """

    def __init__(self, features: int, latent: Hypersphere) -> None:
        super().__init__()
        self.latent = latent
        self.linear = nn.Linear(features, latent.width + 1)
        # As a posterior of unit variance is to N(0, I), neither a point nor the prior itself.
        self.start = math.log(latent.width)

    def forward(self, features: Tensor) -> VonMisesFisherPosterior:
        """The posterior of features (B, F)."""
        numbers = self.linear(features)
        # Bounded smoothly: a warm-up, in which the KL divergence costs nothing, drives κ up, and
        # where a clamp had cut its gradient off it would stay.
        log_kappa = _MOST - F.softplus(_MOST - self.start - numbers[..., -1])
        return VonMisesFisherPosterior(
            F.normalize(numbers[..., :-1], dim=-1), log_kappa.exp(), self.latent
        )


class VonMisesFisherPosterior(Posterior):
    """Von Mises-Fisher distributions for B rows, against the uniform prior.

    Args:
        loc: unit vectors (B, Z).
        concentration: (B,).
        latent: which sphere it is.
    """

    def __init__(self, loc: Tensor, concentration: Tensor, latent: Hypersphere) -> None:
        self._distribution = VonMisesFisher(loc, concentration, latent.radius, validate_args=False)
        self._prior = latent.prior()

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Points of the sphere."""
        z = self._distribution.rsample((n,), generator)
        return z, self._distribution.log_prob(z)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density with respect to the sphere's area."""
        return self._distribution.log_prob(z)

    def kl(self, z: Tensor, log_q: Tensor) -> Tensor:
        """Exact, whatever was drawn (Davidson et al. 2018, eq. 14)."""
        return kl_divergence(self._distribution, self._prior)

    @property
    def mean(self) -> Tensor:
        """E[z], inside the sphere: the shorter, the less is known."""
        return self._distribution.mean

    @property
    def mode(self) -> Tensor:
        """The point in the middle."""
        return self._distribution.mode

    @property
    def distribution(self) -> VonMisesFisher:
        """The same as a distribution of batch shape (B,) and event shape (Z,)."""
        return self._distribution

    def metrics(self) -> dict[str, Tensor]:
        """The mean concentration."""
        return {"concentration": self._distribution.concentration.mean()}
