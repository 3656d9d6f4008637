"""A VAE whose density is known: p(x | z) = N(Wz + b, s² I), so p(x) = N(b, W Wᵀ + s² I)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from generative.coders import Dense
from generative.latents import GaussianPosterior
from generative.likelihoods import Gaussian
from generative.vae import VAE

VARIANCE = 0.25
WEIGHT = torch.tensor([[1.0, 0.5], [1.0, -0.5], [0.5, 0.0]], dtype=torch.float64)  # orthogonal
BIAS = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64)
DENSITY = MultivariateNormal(BIAS, WEIGHT @ WEIGHT.T + VARIANCE * torch.eye(3).double())


class Straight(nn.Module):
    """An encoder that gives x."""

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        return x


class Linear(nn.Module):
    """A decoder that gives Wz + b."""

    def forward(self, z: Tensor, context: Tensor | None) -> Tensor:
        return (z @ WEIGHT.T + BIAS)[..., None]


class Exact(nn.Module):
    """The posterior p(z | x); W has orthogonal columns, so that it is diagonal."""

    def forward(self, x: Tensor) -> GaussianPosterior:
        variance = 1 / (1 + WEIGHT.square().sum(0) / VARIANCE)
        mean = (x - BIAS) @ WEIGHT / VARIANCE * variance
        return GaussianPosterior(mean, variance.sqrt().expand_as(mean))


class Wrong(nn.Module):
    """A posterior that is off in mean and width."""

    def forward(self, x: Tensor) -> GaussianPosterior:
        right = Exact()(x)
        return GaussianPosterior(0.8 * right.mean + 0.1, 1.4 * right.std)


def linear_gaussian(head: nn.Module) -> VAE:
    """The model with this posterior."""
    model = VAE(3, 2, likelihood=Gaussian(VARIANCE), network=Dense((4,))).double()
    model.encoder, model.decoder, model.head = Straight(), Linear(), head  # type: ignore[assignment]
    model.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))  # tells device and precision
    model.epochs_trained += 1
    model.row_shape = torch.tensor([3])
    return model
