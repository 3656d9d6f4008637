"""Laws of variational autoencoders: bounds against closed forms, completion, what they learn."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from linear_gaussian import BIAS, DENSITY, Exact, Wrong, linear_gaussian
from sklearn.datasets import load_digits
from torch import Tensor
from torch.distributions import kl_divergence

from generative.batches import Batch
from generative.binarise import DynamicBinarise
from generative.bounds import importance_bound
from generative.coders import Convolutional, Dense
from generative.inverse_autoregressive import InverseAutoregressive
from generative.likelihoods import Bernoulli, Categorical, Gaussian
from generative.preprocessing import Standardise, Whiten
from generative.training import Moment, Training
from generative.vae import VAE

SMALL = Dense((32, 24))
FLOW = InverseAutoregressive(3, steps=2, hidden=(16,))
BRIEF = Training(epochs=2, batch_size=64)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digits() -> Tensor:
    """Pixels (1797, 64) from 0 to 16."""
    return torch.tensor(load_digits().data, dtype=torch.float32)


def bits() -> Tensor:
    return (digits()[:256] > 7).float()


def vectors() -> Tensor:
    return torch.randn(256, 6, generator=generator()) @ torch.randn(6, 6, generator=generator(1))


MODELS = {
    "bernoulli": lambda: (VAE(64, 3, network=SMALL), bits()),
    "flow": lambda: (VAE(64, FLOW, network=SMALL), bits()),
    "gaussian": lambda: (
        VAE(6, 3, likelihood=Gaussian(0.1), network=SMALL, preprocessing=Standardise()),
        vectors(),
    ),
    "learned variance": lambda: (
        VAE(6, 3, likelihood=Gaussian("learned"), network=SMALL, beta=0.5, warm_up=1),
        vectors(),
    ),
    "categorical": lambda: (VAE(64, 3, likelihood=Categorical(17), network=SMALL), digits()[:256]),
    "convolutional": lambda: (
        VAE((1, 8, 8), FLOW, network=Convolutional((4, 6), 16), preprocessing=DynamicBinarise(16)),
        digits()[:256].reshape(-1, 1, 8, 8),
    ),
}


def trained(name: str) -> tuple[VAE, Tensor]:
    model, x = MODELS[name]()
    return model.fit(x, training=BRIEF, generator=generator()), x


@pytest.mark.parametrize("name", MODELS)
def test_a_bound_is_the_average_of_many_draws(name: str) -> None:
    model, x = trained(name)
    x = (16 * (x > 7)).float() if name == "convolutional" else x
    elbo = torch.stack([model.elbo(x[:2], generator=generator(i)) for i in range(60)])
    one = model.log_prob_is(x[:2].repeat_interleave(4000, 0), 1, generator=generator())
    gap = elbo.mean(0) - one.reshape(2, -1).mean(1)
    error = elbo.std(0) / 60**0.5 + one.reshape(2, -1).std(1) / 4000**0.5
    assert (gap.abs() < 5 * error + 1e-4).all()


def test_exact_posterior_makes_every_bound_exact() -> None:
    model, x = linear_gaussian(Exact()), DENSITY.sample((5,))
    for k in (1, 7):
        assert torch.allclose(model.log_prob_is(x, k, generator=generator()), DENSITY.log_prob(x))
    elbo = model.elbo(x, draws=4000, generator=generator())
    assert torch.allclose(elbo, DENSITY.log_prob(x), atol=0.1)


def test_bounds_are_in_order_and_tighten() -> None:
    """ELBO = bound of one draw <= of more draws <= exact, and close to it at the end."""
    model, x = linear_gaussian(Wrong()), DENSITY.sample((2000,))
    exact = DENSITY.log_prob(x)
    gaps = [float((exact - model.elbo(x, draws=8, generator=generator())).mean())]
    for k in (2, 8, 64, 256):
        gaps.append(float((exact - model.log_prob_is(x, k, generator=generator())).mean()))
    assert all(wide > 1.5 * narrow for wide, narrow in pairwise(gaps))
    assert 0 < gaps[-1] < 0.01
    posterior = Exact()(x).distribution
    gap = float(kl_divergence(Wrong()(x).distribution, posterior).mean())  # of the bound, exactly
    assert gaps[0] == pytest.approx(gap, rel=0.05)


def test_bounds_do_not_depend_on_the_chunks() -> None:
    batch = Batch(torch.randn(5, 1))

    def log_weights(part: Batch, n: int) -> Tensor:
        return part.x.T.expand(n, -1).square()

    for rows in (1, 3, 4, 100):
        assert torch.allclose(importance_bound(log_weights, batch, 7, rows), batch.x[:, 0] ** 2)


def test_bounds_are_in_units_of_the_data() -> None:
    """log p(8x) = log p(x) - D log 8 for what is fitted to data in another unit."""
    bounds = []
    for x in (vectors(), 8 * vectors()):
        torch.manual_seed(0)
        model, _ = MODELS["gaussian"]()
        model.fit(x, training=BRIEF, generator=generator())
        bounds.append(model.elbo(x, generator=generator()))
    assert torch.allclose(bounds[0], bounds[1] + 6 * math.log(8), atol=1e-2)


def test_completion_is_the_conditional_whatever_the_posterior() -> None:
    """Mean and variance of x_3 given x_1 and x_2 (Bishop 2006, eqs. 2.81-2.82)."""
    model, x = linear_gaussian(Wrong()), torch.tensor([[1.5, -0.5, torch.nan]]).double()
    mask = torch.tensor([[True, True, False]])
    covariance = DENSITY.covariance_matrix
    gain = covariance[2, :2] @ covariance[:2, :2].inverse()
    mean = BIAS[2] + gain @ (x[0, :2] - BIAS[:2])
    variance = covariance[2, 2] - gain @ covariance[:2, 2]
    many, masks = x.repeat(3000, 1), mask.repeat(3000, 1)
    drawn = model.impute(many, masks, steps=40, draw=True, generator=generator())
    assert torch.equal(drawn[:, :2], many[:, :2])
    assert abs(drawn[:, 2].mean() - mean) < 5 * (variance / 3000) ** 0.5
    assert drawn[:, 2].var() == pytest.approx(variance.item(), rel=0.15)
    means = model.impute(many[:20], masks[:20], steps=400, generator=generator())
    assert torch.allclose(means[:, 2], mean.expand(20), atol=0.2)
    assert torch.equal(means[:, :2], many[:20, :2])


def test_weight_of_the_divergence_warms_up() -> None:
    model = VAE(4, 2, network=SMALL, beta=0.5, warm_up=2)
    weights = [model.kl_weight(Moment(step // 10, step, 5, 10)) for step in (0, 10, 20, 49)]
    assert weights == [0.0, 0.25, 0.5, 0.5]
    assert VAE(4, 2, network=SMALL).kl_weight(Moment(0, 0, 5, 10)) == 1.0
    parts = model.loss(Batch(torch.ones(3, 4)), Moment(1, 10, 5, 10), generator())
    assert torch.allclose(parts["loss"], parts["nll"] + 0.25 * parts["kl"])


def test_collapse_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="generative")
    VAE(64, 3, network=SMALL, beta=1000.0).fit(
        bits(), training=replace(BRIEF, epochs=60), generator=generator()
    )
    assert "0 of 3 latent variables are active" in caplog.text
    assert "collapsed" in caplog.text
    caplog.clear()
    model, x = MODELS["bernoulli"]()
    model.fit(x, training=replace(BRIEF, epochs=30), generator=generator())
    active = int((model.activity(x) > 0.01).sum())
    assert active > 0
    assert f"{active} of 3 latent variables are active." in caplog.text


def test_it_learns_digits() -> None:
    """The bound on held-out digits is far above what independent pixels reach."""
    x = digits() / 16
    model = VAE(64, 8, network=Dense((128,)), preprocessing=DynamicBinarise())
    training = Training(epochs=40, batch_size=64, schedule="cosine", learning_rate=3e-3)
    model.fit(x[:1500], training=training, generator=generator())
    held_out = torch.bernoulli(x[1500:], generator=generator())
    share = x[:1500].mean(0).clamp(1e-3, 1 - 1e-3)
    apart = Bernoulli().log_prob(share.logit()[:, None], held_out).sum(1).mean()
    elbo = model.elbo(held_out, draws=10, generator=generator()).mean()
    bound = model.log_prob_is(held_out, 50, generator=generator()).mean()
    assert apart + 2.5 < elbo < bound
    mask = torch.rand(held_out.shape, generator=generator()) < 0.7
    whole = model.impute(held_out, mask, generator=generator())
    error = (whole - held_out)[~mask].square().mean()
    assert error < 0.9 * (share - held_out)[~mask].square().mean()


def test_it_follows_its_context() -> None:
    g = generator()
    context = torch.randn(512, 1, generator=g)
    x = torch.cat([2 * context, -context], 1) + 0.3 * torch.randn(512, 2, generator=g)
    model = VAE(2, 1, likelihood=Gaussian(0.09), network=Dense((32,), "relu"), context=1)
    training = Training(epochs=40, batch_size=64, learning_rate=3e-3, schedule="cosine")
    model.fit(x, context=context, training=training, generator=g)
    wanted = torch.linspace(-1, 1, 50)[:, None]
    drawn = model.sample(50, g, wanted, means=True)
    assert (drawn - torch.cat([2 * wanted, -wanted], 1)).abs().mean() < 0.35
    right = model.elbo(x[:100], context[:100], generator=g).mean()
    assert right > model.elbo(x[:100], -context[:100], generator=g).mean() + 10
    assert model.decode(torch.zeros(5, 1), wanted[:5]).event_shape == (2,)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m, x: VAE(0, 3), "shape"),
        (lambda m, x: VAE((2, 3), 3), "expected a width D or"),
        (lambda m, x: VAE(4, 0), "width 0"),
        (lambda m, x: VAE(4, 2, beta=-1), "negative"),
        (lambda m, x: VAE(4, 2, network=Convolutional()), "use Dense for vectors"),
        (lambda m, x: VAE(4, 2, network=Dense(())), "at least one"),
        (lambda m, x: VAE(4, 2, network=Dense((4,), "sin")), "expected one of relu"),
        (lambda m, x: VAE(64, 2).elbo(x), "not fitted"),
        (lambda m, x: m.elbo(3 * x), "values from 0 to 3"),
        (lambda m, x: m.elbo(x[:, :5]), "expected vectors"),
        (lambda m, x: VAE(32, 3).fit(x), "was made for"),
        (lambda m, x: m.elbo(x / 0), "not finite"),
        (lambda m, x: m.elbo(x, torch.ones(len(x), 2)), "leave it out"),
        (lambda m, x: VAE(64, 2, context=3).fit(x), "was given no context; give one"),
        (lambda m, x: m.log_prob_is(x, 0), "k=0"),
        (lambda m, x: m.impute(x, x > -1, steps=1), "steps=1"),
        (lambda m, x: m.impute(x, x), "booleans"),
        (lambda m, x: m.impute(x, x > 2), "no observed value"),
        (lambda m, x: m.fit(3 * x), "values from 0 to 3"),
        (lambda m, x: m.fit(x, context=x), "leave it out"),
        (lambda m, x: m.fit(x.reshape(-1, 1, 8, 8)), "256, 1, 8, 8|1, 8, 8"),
        (lambda m, x: VAE(6, 2, likelihood=Gaussian(), network=SMALL, preprocessing=Whiten())
         .fit(vectors(), training=BRIEF).impute(vectors(), vectors() > -1), "mixes"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence(act: Callable[[VAE, Tensor], object], message: str) -> None:
    model, x = trained("bernoulli")
    before = model.state_dict()
    with pytest.raises(ValueError, match=message) as error:
        act(model, x)
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
