"""Latent variables on a sphere (Davidson et al. 2018, arXiv 1804.00891)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import kl_divergence
from torch.nn import functional as F

from generative.latents import Latent, Posterior
from generative.sphere import HypersphericalUniform, check_dimension
from generative.von_mises_fisher import VonMisesFisher

_MOST = 16.0  # κ up to 9e6: points 1 / 3000 apart, the most that float32 codes resolve well


@dataclass(frozen=True)
class Hypersphere(Latent):
    """A uniform prior on the unit sphere of R^width, posteriors von Mises-Fisher.

    With it a VAE is the hyperspherical VAE of Davidson et al. (2018). The sphere has no centre
    that posteriors are drawn to, and its KL divergence has a closed form in the concentration
    alone. Its dimension is one less than ``width``: as many directions as N(0, I) of width - 1
    has.

    >>> posterior = Hypersphere(3).head(16)(torch.randn(5, 16))
    >>> z, log_q = posterior.sample(4)
    >>> z.shape, bool(torch.allclose(z.norm(dim=-1), torch.ones(4, 5)))
    (torch.Size([4, 5, 3]), True)
    """

    def __post_init__(self) -> None:
        check_dimension(self.width)

    def head(self, features: int) -> nn.Module:
        """A linear map to direction and concentration."""
        return VonMisesFisherHead(features, self.width)

    def log_prior(self, z: Tensor) -> Tensor:
        """Minus the logarithm of the sphere's area."""
        return HypersphericalUniform(self.width).log_prob(z)

    def sample_prior(
        self, n: int, like: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Uniform points of the sphere."""
        return HypersphericalUniform(self.width, like).sample((n,), generator)


class VonMisesFisherHead(nn.Module):
    """Features to a direction and a concentration κ = exp(r), one linear map.

    The KL divergence grows by (Z - 1) / 2 with each unit of log κ, whatever κ is. A linear κ, such
    as softplus(r) + 1, would need r to move by hundreds.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width + 1)
        # As a posterior of unit variance is to N(0, I), neither a point nor the prior itself.
        self.start = math.log(width)

    def forward(self, features: Tensor) -> VonMisesFisherPosterior:
        """The posterior of features (B, F)."""
        numbers = self.linear(features)
        kappa = (numbers[..., -1] + self.start).clamp(max=_MOST).exp()
        return VonMisesFisherPosterior(F.normalize(numbers[..., :-1], dim=-1), kappa)


class VonMisesFisherPosterior(Posterior):
    """Von Mises-Fisher distributions for B rows, against the uniform prior.

    Args:
        loc: unit vectors (B, Z).
        concentration: (B,).
    """

    def __init__(self, loc: Tensor, concentration: Tensor) -> None:
        self._distribution = VonMisesFisher(loc, concentration, validate_args=False)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Points of the sphere."""
        z = self._distribution.rsample((n,), generator)
        return z, self._distribution.log_prob(z)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density with respect to the sphere's area."""
        return self._distribution.log_prob(z)

    def kl(self, z: Tensor, log_q: Tensor) -> Tensor:
        """Exact, whatever was drawn (Davidson et al. 2018, eq. 14)."""
        prior = HypersphericalUniform(self._distribution.event_shape[0])
        return kl_divergence(self._distribution, prior)

    @property
    def mean(self) -> Tensor:
        """E[z], inside the sphere: the shorter, the less is known."""
        return self._distribution.mean

    @property
    def mode(self) -> Tensor:
        """The direction."""
        return self._distribution.mode

    @property
    def distribution(self) -> VonMisesFisher:
        """The same as a distribution of batch shape (B,) and event shape (Z,)."""
        return self._distribution

    def metrics(self) -> dict[str, Tensor]:
        """The mean concentration."""
        return {"concentration": self._distribution.concentration.mean()}
