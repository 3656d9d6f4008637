"""Laws of diffusion, on Gaussians, on a mixture and on sines."""

from __future__ import annotations

import math

import pytest
import torch
from known_densities import (
    gaussian_score,
    generator,
    like_data,
    relative_error,
    score,
    three_blobs,
)
from torch import Tensor
from torch.distributions import MultivariateNormal

from generative.chain import Chain
from generative.denoisers import Mixer, Perceptron
from generative.denoising import Known
from generative.diffusion import Diffusion
from generative.gaussian_basis import GaussianBasis, Level
from generative.noise import Noise
from generative.preprocessing import DropConstant, Standardise, Whiten
from generative.training import Training
from generative.transform import Transform

NOTHING = Training(epochs=1, batch_size=4096, learning_rate=1e-12)  # the net goes on giving zeros
MIX = torch.tensor([[1.0, 0.5, 0.0], [0.0, 2.0, 0.3], [0.0, 0.0, 0.2]])


def correlated(n: int = 4000) -> Tensor:
    """A normal distribution (n, 3), with exactly its covariance in the sample."""
    x = torch.randn(n, 3, generator=generator())
    return Whiten().fit(x)(x)[0] @ MIX + 1


class GaussianOnly(Diffusion):
    always = 0.0  # added along each axis

    def added(self, narrowed: Tensor, level: Level, known: Known) -> Tensor:
        return self.always + 0.0 * super().added(narrowed, level, known)


def gaussian(preprocessing: Transform | None = None) -> Diffusion:
    """With a net that adds nothing: for data of a normal distribution that is right."""
    model = GaussianOnly(3, network=Perceptron((4,)), preprocessing=preprocessing)
    return model.fit(correlated(), training=NOTHING, generator=generator())


@pytest.fixture(scope="module")
def blobs() -> Diffusion:
    torch.manual_seed(0)
    model = Diffusion(2, network=Perceptron((96, 96)), parts=0.5)
    training = Training(epochs=60, batch_size=256, learning_rate=1e-2, schedule="cosine")
    return model.fit(three_blobs().sample(6000, generator(7)), training=training)


def test_the_bound_of_a_gaussian_is_its_log_density() -> None:
    """With the right E[x | noisy] and infinitely many steps, nothing is lost in the mean."""
    x, model = correlated(), gaussian()
    entropy = MultivariateNormal(torch.ones(3), MIX.T @ MIX).entropy()
    bounds = model.elbo(x, draws=64, generator=generator())
    error = float(bounds.std()) / len(x) ** 0.5
    assert error < 0.05
    assert float(bounds.mean()) == pytest.approx(-float(entropy), abs=4 * error)


def test_a_wrong_net_has_a_lower_bound() -> None:
    """Exactly by the error it adds, where that is known."""
    x, model = correlated(), gaussian()
    model.always = 0.3
    ratio = torch.logspace(-2, math.log10(20), 20_001, dtype=torch.float64)
    s, std = model.basis.variances.double()[0, :, None], ratio * model.basis.scale
    added = 0.09 * s / (s + std**2)  # the square of √s τ / √(s + τ²) · 0.3, over τ²
    lost = torch.trapezoid(added.sum(0), ratio.log())
    first = float(0.09 * (model.basis.variances > 0).sum()) / 2  # at the least noise
    gap = gaussian().elbo(x, generator=generator()) - model.elbo(x, generator=generator())
    assert gap.mean() == pytest.approx(float(lost) + first, rel=0.05)


def test_bounds_are_in_units_of_the_data() -> None:
    plain, scaled = gaussian(), gaussian(Standardise())
    x = correlated()
    a, b = (model.elbo(x, generator=generator()).mean() for model in (plain, scaled))
    assert a == pytest.approx(float(b), abs=0.05)


@pytest.mark.parametrize("preprocessing", [None, Standardise(), Whiten()])
def test_the_score_of_a_gaussian(preprocessing: Transform | None) -> None:
    model, x = gaussian(preprocessing), correlated()[:50]
    noise = 0.1 * model.basis.scale
    added = torch.eye(3) * noise**2
    if preprocessing is not None:  # noise is added behind it, and here is what that is before
        y, _ = model.preprocessing(torch.cat([torch.zeros(1, 3), torch.eye(3)]))
        back = torch.linalg.inv(y[1:] - y[:1])
        added = back.T @ back * noise**2
    true = -(x - 1) @ torch.linalg.inv(MIX.T @ MIX + added)
    torch.testing.assert_close(model.score_fn(x, noise=0.1), true, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(("steps", "eta"), [(20, 0.0), (100, 1.0)])
def test_samples_of_a_gaussian_have_its_moments(steps: int, eta: float) -> None:
    drawn = gaussian(Standardise()).sample(10_000, generator(), steps=steps, eta=eta)
    assert (drawn.mean(0) - 1).abs().max() < 0.06
    true = MIX.T @ MIX
    errors = (torch.cov(drawn.T) - true) / (true.diag()[:, None] * true.diag()).sqrt()
    assert errors.abs().max() < 0.06


def test_a_step_of_a_gaussian_leaves_it_the_right_one() -> None:
    """Whatever the size of the step: rows of variance s + τ² become rows of variance s + τ'²."""
    g = generator()
    x = torch.randn(20_000, 3, 2, generator=g) * torch.tensor([5.0, 0.2])
    basis = GaussianBasis().fit(x)
    noisy = x + 9 * torch.randn(x.shape, generator=g)
    std, after = torch.tensor(9.0), torch.tensor(0.5)
    narrowed = basis.narrowed(noisy, basis.level(std))
    moved = basis.move(narrowed, std, after, torch.zeros_like(x))
    variances = basis.along(moved - basis.mean).var(0)
    assert ((basis.variances + 0.25) / variances - 1).abs().max() < 0.05


def test_what_a_net_adds_moves_rows_to_what_it_says() -> None:
    """Down to no noise in one step of a narrow axis: the estimate and the end are the same."""
    basis = GaussianBasis().fit(torch.randn(500, 1, 2, generator=generator()))
    noisy = torch.randn(4, 1, 2, generator=generator(1))
    added, std = torch.randn(4, 1, 2, generator=generator(2)), torch.tensor(1e-3)
    level = basis.level(std)
    narrowed = basis.narrowed(noisy, level)
    end = basis.move(narrowed, std, torch.tensor(1e-6), added)
    said = basis.rows(basis.estimate(narrowed, level, added))
    assert torch.allclose(end, said, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 40), (6, 8)])
def test_axes_are_orthonormal_and_the_widest_are_principal(shape: tuple[int, int]) -> None:
    g = generator()
    wide = torch.randn(3000, 2, generator=g) @ torch.randn(
        2, 40 if shape[0] == 1 else 48, generator=g
    )
    x = (3 * wide + torch.randn(wide.shape, generator=g)).view(-1, *shape)
    basis = GaussianBasis().fit(x)
    one = torch.eye(x[0].numel()).view(-1, *shape)
    axes = basis.along(one).flatten(1)  # a row for each number of a window
    torch.testing.assert_close(axes.mT @ axes, torch.eye(len(one)), atol=1e-5, rtol=0)
    torch.testing.assert_close(basis.back(basis.along(x)), x, atol=1e-4, rtol=1e-4)
    widest = torch.linalg.eigvalsh(torch.cov(x.flatten(1).T))[-2:].flip(0)
    found = basis.variances.flatten().sort(descending=True).values[:2]
    torch.testing.assert_close(found, widest, rtol=1e-3, atol=0)


def test_it_learns_a_density(blobs: Diffusion) -> None:
    noise = 0.2 * float(blobs.basis.scale)
    x = three_blobs(noise).sample(2000, generator(1))
    true, known = score(three_blobs(noise), x), gaussian_score(three_blobs(noise), x)
    found = blobs.score_fn(x, noise=0.2)
    assert relative_error(found, true) < 0.5 * relative_error(known, true)
    for steps, eta in ((12, 0.0), (50, 1.0)):
        assert like_data(blobs.sample(400, generator(), steps=steps, eta=eta), three_blobs())
    x = three_blobs().sample(2000, generator(1))
    gap = three_blobs().log_prob(x).mean() - blobs.elbo(x, generator=generator()).mean()
    assert -0.05 < gap < 0.3


def test_rows_unlike_the_data_are_told_from_noise_badly(blobs: Diffusion) -> None:
    data = three_blobs().sample(200, generator(1))
    usual = blobs.denoising_error(data, draws=16, generator=generator())
    odd = blobs.denoising_error(data * 0.1, draws=16, generator=generator())
    assert odd.mean() > 1.15 * usual.mean()


def test_noise_is_taken_away(blobs: Diffusion) -> None:
    data, size = three_blobs().sample(500, generator(1)), 0.3 * blobs.basis.scale
    noisy = data + size * torch.randn(500, 2, generator=generator())
    before, after = ((x - data).square().mean() for x in (noisy, blobs.denoise(noisy, 0.3)))
    assert after < 0.75 * before


def test_what_is_hidden_follows_the_conditional(blobs: Diffusion) -> None:
    density = three_blobs()
    x = density.sample(400, generator(1))
    mask = torch.tensor([[True, False]]).expand(400, 2)
    holes = x.where(mask, torch.nan)
    exact, filled = density.impute(holes, mask), blobs.impute(holes, mask)
    assert torch.equal(filled[:, 0], x[:, 0])
    spread = float(x[:, 1].std())
    assert (filled - exact)[:, 1].square().mean().sqrt() < 0.3 * spread
    drawn = blobs.impute(holes, mask, draw=True, steps=20, generator=generator())
    assert torch.equal(drawn[:, 0], x[:, 0])
    assert like_data(drawn, density)


def test_conditions_are_followed() -> None:
    which = torch.arange(2000) % 2
    x = torch.randn(2000, 2, generator=generator()) * 0.3 + which[:, None]
    model = Diffusion(2, network=Perceptron((32,)), context=1, parts=0.0)
    training = Training(epochs=10, batch_size=128, learning_rate=1e-2, schedule="cosine")
    model.fit(x, context=which[:, None], training=training, generator=generator())
    for label in (0.0, 1.0):
        drawn = model.sample(200, generator(), torch.full((200, 1), label), steps=20)
        assert (drawn.mean(0) - label).abs().max() < 0.15


def circles(n: int = 512) -> Tensor:
    """Circles run through from a random phase, and a value that never varies (n, 8, 3)."""
    phase = 0.7 * torch.arange(8) + 2 * math.pi * torch.rand(n, 1, generator=generator())
    x = torch.stack([3 * phase.sin(), phase.cos(), torch.full_like(phase, 7.0)], 2)
    return x + torch.tensor([0.3, 0.1, 0.0]) * torch.randn(n, 8, 3, generator=generator(1))


def test_windows() -> None:
    torch.manual_seed(0)
    x = circles()
    scale = Chain(DropConstant(), Standardise())
    model = Diffusion((8, 2), network=Mixer(32, 2), parts=0.5, preprocessing=scale)
    training = Training(epochs=100, batch_size=64, learning_rate=1e-2, schedule="cosine")
    model.fit(x, training=training, generator=generator())
    drawn = model.sample(300, generator(), steps=12)
    assert drawn.shape == (300, 8, 3)
    assert (drawn[..., 2] == 7).all()
    radius = (drawn[..., 0] ** 2 / 9 + drawn[..., 1] ** 2).mean(1).sqrt()
    assert radius.mean() == pytest.approx(1, abs=0.1)
    assert radius.std() < 0.3  # of a Gaussian with this covariance it is 0.5
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 5:] = False
    filled = model.impute(x.where(mask, torch.nan), mask)
    assert torch.equal(filled[mask], x[mask])
    assert (filled - x)[:, 5:, 0].square().mean() < 0.2 * x[..., 0].var()


def test_ratios_rise_and_steps_count() -> None:
    noise = Noise(0.02, 30.0, 0.3)
    levels = noise.levels(50, noise.clock(torch.tensor([[0.1, 7.0]])))
    assert levels[0] == pytest.approx(0.02)
    assert levels[-1] == pytest.approx(30)
    assert (levels.diff() > 0).all()


ROWS = torch.randn(20, 3, generator=generator())


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda m: Diffusion((2, 3, 4)), r"shape=\(2, 3, 4\)"),
        (lambda m: Diffusion(3, parts=1.0), "parts=1.0"),
        (lambda m: Noise(least=1.0), "0 < least < centre < most"),
        (lambda m: Diffusion(2).fit(ROWS), "shape .3,. after preprocessing .* made for .2,."),
        (lambda m: Diffusion(3).fit(ROWS, context=ROWS), "made for context=0"),
        (lambda m: Diffusion(3).fit(ROWS * 0), "Nothing varies over the 20 rows"),
        (lambda m: Diffusion(3).sample(2), "was not fitted"),
        (lambda m: Diffusion((4, 3)).fit(ROWS.expand(6, 20, 3)[:, :4], lengths=[4] * 5 + [3]),
         "3 steps among those of 4; cut windows"),
        (lambda m: m.sample(0), "0 rows"),
        (lambda m: m.sample(2, steps=0), "steps=0"),
        (lambda m: m.sample(2, eta=2.0), "eta=2.0"),
        (lambda m: m.sample(2, context=ROWS[:2]), "given a context of the shape .2, 3."),
        (lambda m: m.elbo(ROWS, draws=0), "draws=0"),
        (lambda m: m.elbo(ROWS[:, :2]), "expected vectors .B, 3."),
        (lambda m: m.score_fn(ROWS, noise=1e-9), "noise=1e-09; it has learned from 0.01 to 50"),
        (lambda m: m.impute(ROWS, ROWS[:, :2] > 0), "mask has the shape"),
        (lambda m: m.impute(ROWS, ROWS), "expected booleans"),
        (lambda m: m.impute(ROWS, ROWS < -9), "no observed value"),
        (lambda m: gaussian(Whiten()).impute(ROWS, ROWS > -9), "mixes them"),
    ],
)  # fmt: skip
def test_wrong_input(act: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        act(gaussian())  # type: ignore[operator]


def test_one_that_never_completed_rows() -> None:
    model = Diffusion(3, network=Perceptron((4,)), parts=0.0)
    model.fit(ROWS, training=NOTHING, generator=generator())
    with pytest.raises(ValueError, match=r"make it with parts=0\.25"):
        model.impute(ROWS, ROWS > 0)
