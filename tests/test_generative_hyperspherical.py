"""Variational autoencoders on a sphere: bounds against exact densities, what they learn."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from generative.coders import Dense
from generative.hyperspherical import Hypersphere, VonMisesFisherPosterior
from generative.likelihoods import Gaussian
from generative.training import Training
from generative.vae import VAE

NOISE = 0.01  # variance of the ring's points about it


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ring(n: int = 1000) -> Tensor:
    """Points (n, 2) about the unit circle, which no normal prior covers without a tear."""
    turn = 2 * math.pi * torch.rand(n, 1, generator=generator())
    circle = torch.cat([turn.cos(), turn.sin()], 1)
    return circle + NOISE**0.5 * torch.randn(n, 2, generator=generator(1))


@pytest.fixture(scope="module")
def circular() -> VAE:
    torch.manual_seed(0)
    model = VAE(2, Hypersphere(2), likelihood=Gaussian(NOISE), network=Dense((32,)))
    training = Training(epochs=30, batch_size=50, learning_rate=0.01, schedule="cosine")
    return model.fit(ring(), training=training, generator=generator())


def exact(model: VAE, x: Tensor) -> Tensor:
    """log p(x) (B,), by summing p(x | z) over the circle."""
    turn = torch.linspace(0, 2 * math.pi, 2001)[1:]
    outputs = model.outputs(torch.stack([turn.cos(), turn.sin()], 1)[:, None], None)
    each = model.likelihood.log_prob(outputs, x).sum(-1)
    return each.logsumexp(0) - math.log(2000)


@torch.no_grad()
def test_bounds_are_ordered_and_approach_the_exact_density(circular: VAE) -> None:
    x = ring(300)
    density = exact(circular, x).mean()
    elbo = circular.elbo(x, draws=20, generator=generator()).mean()
    loose, tight = (circular.log_prob_is(x, k, generator=generator()).mean() for k in (3, 300))
    assert elbo < loose < tight < density + 0.01
    assert density - tight < 0.01


@torch.no_grad()
def test_a_ring_is_learned(circular: VAE) -> None:
    """Its own density is that of a model whose decoder is the identity."""
    x = ring(300)
    ideal = VAE(2, Hypersphere(2), likelihood=Gaussian(NOISE))
    ideal.decoder = Identity()
    assert exact(circular, x).mean() > exact(ideal, x).mean() - 0.1
    assert circular.elbo(x, draws=10, generator=generator()).mean() > exact(ideal, x).mean() - 0.2
    drawn = circular.sample(500, generator(), means=True)
    assert (drawn.norm(dim=1) - 1).abs().mean() < 0.1
    assert (circular.activity(x) > 0.3).all()


class Identity(torch.nn.Module):
    def forward(self, z: Tensor, context: Tensor | None) -> Tensor:
        return z[..., None]


@torch.no_grad()
def test_reconstructions_and_completions_are_near_the_ring(circular: VAE) -> None:
    x = ring(100)
    assert (circular.reconstruct(x) - x).square().mean() < 2 * NOISE
    mask = torch.tensor([[True, False]]).expand(100, 2)
    drawn = circular.impute(x, mask, draw=True, generator=generator())
    assert torch.equal(drawn[:, 0], x[:, 0])
    assert (drawn.norm(dim=1) - 1).abs().mean() < 0.2
    assert torch.allclose(circular.encode(x).mode.norm(dim=1), torch.ones(100), atol=1e-5)


def test_digits_are_learned_and_the_model_is_saved(tmp_path: Path) -> None:
    x = torch.as_tensor(load_digits().data > 7, dtype=torch.float32)
    torch.manual_seed(0)
    model = VAE(64, Hypersphere(6), network=Dense((128,)), warm_up=2)
    training = Training(epochs=15, batch_size=64, learning_rate=5e-3, schedule="cosine")
    model.fit(x[:1500], training=training, generator=generator())
    elbo = model.elbo(x[1500:], generator=generator())
    rate = x[:1500].mean(0).clamp(1e-3, 1 - 1e-3)
    apart = (x[1500:] * rate.log() + (1 - x[1500:]) * (1 - rate).log()).sum(1)
    assert elbo.mean() > apart.mean() + 3
    model.save(tmp_path / "model.zip")
    loaded = VAE.load(tmp_path / "model.zip")
    assert loaded.latent == Hypersphere(6)
    assert torch.equal(loaded.elbo(x[1500:], generator=generator()), elbo)
    assert torch.equal(loaded.sample(5, generator()), model.sample(5, generator()))


@pytest.mark.parametrize("width", [2, 3, 10, 200])
def test_the_divergence_is_the_mean_log_ratio(width: int) -> None:
    latent = Hypersphere(width)
    torch.manual_seed(0)
    posterior = latent.head(20)(torch.randn(3, 20))
    z, log_q = posterior.sample(4000, generator())
    assert z.shape == (4000, 3, width)
    assert torch.equal(log_q, posterior.log_prob(z))
    ratio = log_q - latent.log_prior(z)
    gap = ratio.mean(0) - posterior.kl(z, log_q)
    assert (gap.abs() < 5 * ratio.std(0) / 4000**0.5 + 1e-5).all()


def test_gradients_of_the_bound_reach_every_parameter() -> None:
    head = Hypersphere(5).head(8)
    posterior = head(torch.randn(6, 8, generator=generator()))
    z, _ = posterior.sample(2, generator())
    (z.square() @ torch.arange(5.0)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())
    assert isinstance(posterior, VonMisesFisherPosterior)


@pytest.mark.parametrize("width", [2, 10])
def test_the_prior_is_uniform(width: int) -> None:
    z = Hypersphere(width).sample_prior(5000, torch.zeros(1, dtype=torch.float64), generator())
    assert z.dtype == torch.float64
    second = z.T @ z / 5000
    assert z.mean(0).abs().max() < 5 / (5000 * width) ** 0.5
    assert torch.allclose(second, torch.eye(width, dtype=z.dtype) / width, atol=0.03)


def test_a_sphere_has_two_dimensions_of_space_at_least() -> None:
    with pytest.raises(ValueError, match="space of 1 dimensions was asked for; expected 2 or more"):
        Hypersphere(1)
