"""Laws of latent variables and likelihoods, each on its own: densities, divergences, Jacobians."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import norm
from torch import Tensor
from torch.autograd.functional import jacobian as jacobian_of
from torch.distributions import Independent, Normal, kl_divergence

from generative.binarise import DynamicBinarise
from generative.chain import describe, from_description
from generative.inverse_autoregressive import FlowPosterior, InverseAutoregressive, StepTransform
from generative.latents import DiagonalGaussian, Latent, Posterior
from generative.likelihoods import Bernoulli, Categorical, Gaussian, Likelihood

DTYPE = torch.float64
LATENTS: dict[str, Latent] = {
    "gaussian": DiagonalGaussian(2),
    "iaf": InverseAutoregressive(2, steps=2, hidden=(16,)),
    "deep iaf": InverseAutoregressive(2, steps=3, hidden=(16, 12)),
}
LIKELIHOODS: dict[str, Likelihood] = {
    "bernoulli": Bernoulli(),
    "gaussian": Gaussian(0.3),
    "learned gaussian": Gaussian("learned"),
    "categorical": Categorical(4),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def posterior_of(latent: Latent, rows: int = 3) -> Posterior:
    """The posterior of random features by a random head, far from the prior."""
    head = latent.head(5).to(DTYPE)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(1)).to(DTYPE))
    with torch.no_grad():
        posterior: Posterior = head(torch.randn(rows, 5, generator=generator(2)).to(DTYPE))
    return posterior


def flow_of(width: int) -> FlowPosterior:
    posterior = posterior_of(InverseAutoregressive(width, steps=2, hidden=(24, 24)), rows=1)
    assert isinstance(posterior, FlowPosterior)
    return posterior


@pytest.mark.parametrize("name", LATENTS)
def test_posteriors_integrate_to_one(name: str) -> None:
    posterior = posterior_of(LATENTS[name], rows=1)
    side = torch.linspace(-7, 7, 150, dtype=DTYPE)
    with torch.no_grad():
        density = posterior.log_prob(torch.cartesian_prod(side, side)[:, None]).exp()
    assert density.sum() * (side[1] - side[0]) ** 2 == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", LATENTS)
def test_draws_carry_their_own_log_density(name: str) -> None:
    posterior = posterior_of(LATENTS[name])
    z, log_q = posterior.sample(50, generator())
    assert z.shape == (50, 3, 2)
    assert torch.allclose(posterior.log_prob(z), log_q)
    assert torch.allclose(posterior.distribution.log_prob(z), log_q)


@pytest.mark.parametrize("name", LATENTS)
def test_means_and_divergences_are_those_of_many_draws(name: str) -> None:
    latent = LATENTS[name]
    posterior = posterior_of(latent)
    z, log_q = posterior.sample(20_000, generator())
    each = log_q - latent.log_prior(z)
    gap = posterior.kl(*posterior.sample(20_000, generator(3))) - each.mean(0)
    assert (gap.abs() < 8 * each.std(0) / 141).all()
    assert ((posterior.mean - z.mean(0)).abs() < 5 * z.std(0) / 8).all()  # by 64 draws for a flow


def test_gaussian_divergence_is_the_closed_form() -> None:
    posterior = posterior_of(DiagonalGaussian(4))
    unit = Independent(Normal(torch.zeros(4, dtype=DTYPE), 1.0), 1)
    z, log_q = posterior.sample(1)
    assert torch.allclose(posterior.kl(z, log_q), kl_divergence(posterior.distribution, unit))


def test_prior_draws_have_the_prior_density() -> None:
    latent = DiagonalGaussian(3)
    z = latent.sample_prior(20_000, torch.zeros(1, dtype=DTYPE), generator())
    exact = torch.tensor(norm.logpdf(z.numpy()).sum(-1))
    assert torch.allclose(latent.log_prior(z), exact)
    assert abs(latent.log_prior(z).mean() + 1.5 * (1 + math.log(2 * math.pi))) < 0.05


def test_flow_determinant_is_that_of_the_jacobian() -> None:
    flow = flow_of(4)
    z = torch.randn(4, generator=generator()).to(DTYPE)
    for transform in flow.transforms:
        jacobian = jacobian_of(transform, z[None])[0, :, 0]
        log_det = transform.move(z[None])[1][0]
        assert torch.allclose(torch.linalg.slogdet(jacobian)[1], log_det)


def test_flow_is_autoregressive() -> None:
    flow = flow_of(4)
    z = torch.randn(4, generator=generator()).to(DTYPE)
    for transform in flow.transforms:
        jacobian = jacobian_of(transform.step.net, (z[None], transform.context))[0]
        for each in jacobian[0, :, :, 0].unbind(1):  # m and the gate of z_i: by z_1 ... z_{i-1}
            assert (each.triu() == 0).all()
            assert (each.tril(-1) != 0).sum() == 6


def test_flow_is_undone_by_its_inverse() -> None:
    flow = flow_of(5)
    z = torch.randn(7, 1, 5, generator=generator()).to(DTYPE)
    for transform in flow.transforms:
        assert isinstance(transform, StepTransform)
        assert torch.allclose(transform.inv(transform(z)), z)


def test_flow_of_one_dimension_works() -> None:
    posterior = posterior_of(InverseAutoregressive(1, hidden=(8,)))
    z, log_q = posterior.sample(5, generator())
    assert torch.allclose(posterior.log_prob(z), log_q)


def outputs_of(likelihood: Likelihood, *shape: int) -> Tensor:
    return torch.randn(*shape, likelihood.outputs, generator=generator(), dtype=DTYPE)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_prob_is_that_of_the_distribution(name: str) -> None:
    likelihood = LIKELIHOODS[name]
    outputs = outputs_of(likelihood, 6, 5, 3)
    x = likelihood.draw(outputs[0], generator())  # (5, 3), broadcast against six sets of outputs
    likelihood.check(x)
    expected = likelihood.distribution(outputs).log_prob(x.expand(6, 5, 3))
    assert torch.allclose(likelihood.log_prob(outputs, x), expected)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_draws_have_the_mean(name: str) -> None:
    likelihood = LIKELIHOODS[name]
    outputs = outputs_of(likelihood, 4)
    draws = likelihood.draw(outputs.expand(20_000, *outputs.shape), generator())
    gap = draws.mean(0) - likelihood.mean(outputs)
    assert (gap.abs() < 5 * draws.std(0) / 20_000**0.5).all()


def test_masses_sum_to_one() -> None:
    bits = Bernoulli().log_prob(torch.randn(5, 1), torch.tensor([[0.0], [1.0]])).exp()
    levels = torch.arange(4.0)[:, None]
    shades = Categorical(4).log_prob(torch.randn(5, 4), levels).exp()
    assert torch.allclose(bits.sum(0), torch.ones(5))
    assert torch.allclose(shades.sum(0), torch.ones(5))


def test_learned_variance_has_a_floor() -> None:
    likelihood = Gaussian("learned", least=0.04)
    assert likelihood.std(torch.full((1, 2), -1e4)).item() == pytest.approx(0.2)


def test_dynamic_bits_are_drawn_anew_with_the_right_share() -> None:
    transform = DynamicBinarise(16)
    x = torch.tensor([[0.0, 4.0, 12.0, 16.0]]).repeat(10_000, 1)
    bits, log_det = transform(x, generator())
    assert set(bits.unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(bits.mean(0), x[0] / 16, atol=0.025)
    assert (bits[:, 0] == 0).all()
    assert (bits[:, 3] == 1).all()
    assert torch.equal(log_det, torch.zeros(10_000))
    assert not torch.equal(bits, transform(x, generator(1))[0])
    again = from_description(describe(transform))
    assert torch.equal(again(x, generator())[0], bits)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DiagonalGaussian(0), "width 0"),
        (lambda: InverseAutoregressive(3, steps=0), "steps=0"),
        (lambda: InverseAutoregressive(3, hidden=()), "at least one number"),
        (lambda: Gaussian(0.0), "variance"),
        (lambda: Gaussian("each"), "'learned'"),  # type: ignore[arg-type]
        (lambda: Gaussian(least=-1), "least variance"),
        (lambda: Categorical(1), "levels=1"),
        (lambda: Categorical(3).check(torch.tensor([3.0])), "0 to 2"),
        (lambda: Categorical(3).check(torch.tensor([0.5])), "whole numbers"),
        (lambda: Bernoulli().check(torch.tensor([-0.1, 1.0])), "Binarise"),
        (lambda: DynamicBinarise(0), "positive"),
        (lambda: DynamicBinarise(16)(torch.tensor([[255.0]])), "expected them in"),
    ],
)
def test_wrong_input_is_one_sentence(make, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
