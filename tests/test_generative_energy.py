"""Laws of Langevin chains, annealed importance sampling and energy-based models."""

from __future__ import annotations

import math

import pytest
import torch
from known_densities import generator, like_data, relative_error, score, three_blobs
from torch import Tensor

from generative import BayesClassifier, DivergenceError
from generative.annealing import anneal
from generative.coders import Dense
from generative.energy import EnergyModel
from generative.langevin import Chains, check_step, largest_step
from generative.objectives import ContrastiveDivergence, NoiseContrast, Objective, ScoreMatching
from generative.preprocessing import DropConstant, Standardise, Whiten
from generative.training import Training

PRECISION = torch.tensor([[2.0, 0.6], [0.6, 0.5]])
NOTHING = Training(epochs=1, batch_size=4096, learning_rate=1e-12)  # the net goes on giving zeros
NET = Dense((64, 64), "silu")


def quadratic(x: Tensor) -> Tensor:
    return ((x @ PRECISION) * x).sum(1) / 2


def wander(adjusted: bool, size: float, steps: int, n: int = 8000) -> Tensor:
    g = generator()
    chains = Chains.at(torch.zeros(n, 2), size)
    for _ in range(steps):
        chains.move(quadratic, g, adjusted=adjusted)
    return torch.cov(chains.x.T)


def test_adjusted_chains_have_the_covariance_of_the_energy() -> None:
    assert relative_error(wander(True, 0.5, 60), torch.linalg.inv(PRECISION)) < 0.05


def test_plain_chains_have_the_covariance_of_their_step() -> None:
    """A step of size h makes Λ⁻¹ into (Λ - h Λ² / 2)⁻¹, as solving for what a step leaves shows."""
    for size in (0.05, 0.5):
        limit = torch.linalg.inv(PRECISION - size / 2 * PRECISION @ PRECISION)
        assert relative_error(wander(False, size, int(20 / size)), limit) < 0.05


def test_the_largest_step_is_two_over_the_curvature() -> None:
    largest = largest_step(quadratic, torch.randn(5, 2, generator=generator()))
    assert largest == pytest.approx(2 / float(torch.linalg.eigvalsh(PRECISION)[-1]), rel=1e-3)
    check_step(quadratic, torch.ones(3, 2), 0.99 * largest)
    with pytest.raises(ValueError, match=r"run away .* take a positive size below 0\.9"):
        check_step(quadratic, torch.ones(3, 2), 1.01 * largest)


def test_chains_that_ran_away_are_named() -> None:
    chains = Chains.at(torch.ones(4, 2), 3.0)
    for _ in range(40):
        chains.move(quadratic, generator(), adjusted=False)
    with pytest.raises(DivergenceError, match=r"4 of 4 Langevin chains ran away .* size 3"):
        chains.check(quadratic)


def test_what_is_clamped_stays_and_the_rest_follows_the_conditional() -> None:
    g, x = generator(), torch.tensor([[1.0, 0.0]]).expand(4000, 2)
    chains = Chains.at(x, 0.5, torch.tensor([[False, True]]).expand(4000, 2))
    for _ in range(40):
        chains.move(quadratic, g, adapt=True)
    assert (chains.x[:, 0] == 1).all()
    assert chains.x[:, 1].mean() == pytest.approx(-0.6 / 0.5, abs=0.1)
    assert chains.x[:, 1].var() == pytest.approx(1 / 0.5, rel=0.1)


@pytest.mark.parametrize("width", [2, 10])
def test_annealing_finds_a_known_normaliser(width: int) -> None:
    """∫ N(x; 0, I) exp(-3 |x - 1|² / 2) dx, whose logarithm is d (-log 2 - 3 / 8)."""
    start = torch.randn(800, width, generator=generator())
    done = anneal(lambda x: 1.5 * (x - 1).square().sum(1), start, 120, generator())
    true = width * (-math.log(2) - 3 / 8)
    assert done.log_normaliser() == pytest.approx(true, abs=0.1)
    assert done.standard_error() < 0.1
    assert done.x.mean() == pytest.approx(0.75, abs=0.05)


def trained(objective: Objective, epochs: int = 20, rows: int = 4000) -> EnergyModel:
    torch.manual_seed(0)
    model = EnergyModel(2, objective=objective, network=NET)
    training = Training(epochs=epochs, batch_size=256, learning_rate=1e-2, schedule="cosine")
    x = three_blobs().sample(rows, generator(7))
    return model.fit(x, training=training, generator=generator())


def difference(model: EnergyModel) -> float:
    """Mean absolute error of energy differences on rows of the density, in nats."""
    x = three_blobs().sample(1000, generator(1))
    gap = model.energy(x).detach() + three_blobs().log_prob(x)
    return float((gap - gap.median()).abs().mean())


@pytest.fixture(scope="module")
def contrast() -> EnergyModel:
    return trained(NoiseContrast(), 30, rows=12_000)


def test_noise_contrast_learns_a_density(contrast: EnergyModel) -> None:
    assert difference(contrast) < 0.1
    assert like_data(contrast.sample(400, generator(), steps=60), three_blobs())
    value, error = contrast.normalise(400, 40, generator=generator())
    side = torch.linspace(-5, 5, 201)
    grid = torch.cartesian_prod(side, side)
    true = float((-contrast.energy(grid).detach()).logsumexp(0)) + 2 * math.log(0.05)
    assert value == pytest.approx(true, abs=0.1)
    assert error < 0.05
    assert abs(value) < 0.15  # noise contrast learns the constant too
    assert contrast.log_prob(grid).detach().exp().mean() * 100 == pytest.approx(1, abs=0.1)


def test_contrastive_divergence_learns_a_density() -> None:
    for objective in (ContrastiveDivergence(steps=5), ContrastiveDivergence(5, 0.2, 512)):
        assert difference(trained(objective)) < 0.3


def test_score_matching_learns_the_score() -> None:
    model = trained(ScoreMatching(0.3), 60)
    noise = 0.3 * float(model.basis.scale)
    x = three_blobs(noise).sample(1000, generator(1))
    assert relative_error(model.score_fn(x), score(three_blobs(noise), x)) < 0.1


def test_scores_are_slopes_of_energies(contrast: EnergyModel) -> None:
    x = three_blobs().sample(20, generator(1))
    step = torch.tensor([1e-2, 0.0])
    slope = (contrast.energy(x + step) - contrast.energy(x - step)).detach() / 2e-2
    torch.testing.assert_close(contrast.score_fn(x)[:, 0], -slope, rtol=0.02, atol=0.02)


def test_completions_follow_the_conditional(contrast: EnergyModel) -> None:
    x = three_blobs().sample(400, generator(1))
    mask = torch.tensor([[True, False]]).expand(400, 2)
    holes = x.where(mask, torch.nan)
    filled = contrast.impute(holes, mask, steps=100, draw=True, generator=generator())
    assert torch.equal(filled[:, 0], x[:, 0])
    assert like_data(filled, three_blobs())


def test_units_move_energies() -> None:
    g = generator()
    x = torch.randn(500, 3, generator=g) @ torch.rand(3, 3, generator=g)
    for preprocessing in (None, Standardise(), Whiten()):
        plain, scaled = (
            EnergyModel(3, network=NET, preprocessing=preprocessing, least=1e-8)
            .fit(rows, training=NOTHING, generator=generator())
            .energy(rows)
            for rows in (x, 8 * x)
        )
        torch.testing.assert_close(scaled, plain + 3 * math.log(8), atol=1e-3, rtol=0)


def test_the_energy_without_a_net_is_that_of_the_gaussian() -> None:
    x = torch.randn(500, 3, generator=generator()) @ torch.rand(3, 3, generator=generator(1))
    model = EnergyModel(3, network=NET, least=1e-8, temperatures=1)
    model.fit(x, training=NOTHING, generator=generator())
    covariance = torch.cov(x.T, correction=0)
    true = torch.distributions.MultivariateNormal(x.mean(0), covariance).log_prob(x)
    torch.testing.assert_close(model.log_prob(x), true, atol=1e-3, rtol=0)
    assert relative_error(torch.cov(model.sample(4000, generator(), steps=20).T), covariance) < 0.1


def test_classes_are_told_by_their_energies() -> None:
    y = torch.arange(400) % 2
    x = torch.randn(400, 3, generator=generator()) + 4 * y[:, None]
    x[:, 2] = 5
    with pytest.raises(ValueError, match="make the EnergyModel with temperatures=100"):
        BayesClassifier(EnergyModel(2), 2)
    family = EnergyModel(2, network=Dense((8,), "silu"), temperatures=10)
    family.training_defaults = Training(epochs=2)
    model = BayesClassifier(family, 2, preprocessing=DropConstant())
    model.fit(x, y, generator=generator())
    assert (model.predict(x) == y).float().mean() > 0.98


def test_exploding_chains_stop_and_the_last_good_weights_are_kept() -> None:
    x = three_blobs().sample(500, generator())
    model = EnergyModel(2, objective=ContrastiveDivergence(2), network=Dense((8,), "silu"))
    model.fit(x, training=Training(epochs=1), generator=generator())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(DivergenceError, match=r"epoch 1: .* weights before .* back"):
        model.fit(x, training=Training(epochs=1, learning_rate=1e38), generator=generator())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


ROWS = torch.randn(20, 3, generator=generator())


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda m: EnergyModel(()), r"shape=\(\)"),
        (lambda m: EnergyModel(3, temperatures=-1), "temperatures=-1"),
        (lambda m: EnergyModel(3, least=0), "least=0"),
        (lambda m: NoiseContrast(0), "ratio=0"),
        (lambda m: ContrastiveDivergence(size=0), "size=0"),
        (lambda m: ContrastiveDivergence(persistent=-1), "persistent=-1"),
        (lambda m: ScoreMatching(0), "noise=0"),
        (lambda m: Chains.at(ROWS, -1.0), "size=-1.0"),
        (lambda m: anneal(quadratic, ROWS[:, :2], 0), "temperatures=0"),
        (lambda m: EnergyModel(2).fit(ROWS), "shape .3,. after preprocessing"),
        (lambda m: EnergyModel(3).fit(ROWS, context=ROWS), "takes no context"),
        (lambda m: EnergyModel(3).sample(2), "was not fitted"),
        (lambda m: m.log_prob(ROWS), "call normalise.. first"),
        (lambda m: m.normalise(1), "chains=1"),
        (lambda m: m.sample(0), "0 rows"),
        (lambda m: m.sample(2, steps=1), "steps=1"),
        (lambda m: m.sample(2, size=5.0), "size 5 run away .* below 2"),
        (lambda m: m.energy(ROWS[:, :2]), "expected vectors .B, 3."),
        (lambda m: m.impute(ROWS, ROWS > 0, steps=1), "steps=1"),
        (lambda m: m.impute(ROWS, ROWS[:, :2] > 0), "mask has the shape"),
        (lambda m: m.impute(ROWS, ROWS < -9), "no observed value"),
    ],
)
def test_wrong_input(act: object, said: str) -> None:
    model = EnergyModel(3, network=Dense((4,), "silu"))
    model.fit(ROWS, training=NOTHING, generator=generator())
    with pytest.raises(ValueError, match=said):
        act(model)  # type: ignore[operator]
