"""Laws that hold for every family of generative models.

A new family is added by its name: to ``NETS`` in net_families.py if it learns by gradients, else to
``FAMILIES`` here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from net_families import NETS, blobs, generator
from torch import Tensor

from generative import (
    BayesClassifier,
    Chain,
    DensityModel,
    DropConstant,
    GaussianMixture,
    GenerativeModel,
    Mixture,
    Moment,
    NeuralModel,
    Standardise,
    Training,
    VariationalMixture,
    Whiten,
)

DTYPE = torch.float64


def classifier() -> BayesClassifier:
    return BayesClassifier(GaussianMixture(2), classes=3)


def given_parameters() -> Mixture:
    covariances = torch.tensor([[[1.0, 0.3], [0.3, 0.5]], [[2.0, -1.0], [-1.0, 1.0]]], dtype=DTYPE)
    means = torch.tensor([[0.0, 0.0], [3.0, 2.0]], dtype=DTYPE)
    return Mixture.of(torch.tensor([0.3, 0.7], dtype=DTYPE), means, covariances)


FAMILIES: dict[str, Callable[[], GenerativeModel]] = {
    "full": lambda: GaussianMixture(3),
    "tied": lambda: GaussianMixture(3, "tied"),
    "diagonal": lambda: GaussianMixture(3, "diagonal"),
    "spherical": lambda: GaussianMixture(3, "spherical"),
    "standardised": lambda: GaussianMixture(3, preprocessing=Standardise()),
    "whitened": lambda: GaussianMixture(3, preprocessing=Chain(DropConstant(), Whiten())),
    "dirichlet process": lambda: VariationalMixture(6),
    "dirichlet": lambda: VariationalMixture(6, "dirichlet", preprocessing=Standardise()),
    "bayes": classifier,
    "bayes, whitened": lambda: BayesClassifier(
        GaussianMixture(2), 3, preprocessing=Chain(DropConstant(), Whiten())
    ),
    "given": given_parameters,
    **{name: net.make for name, net in NETS.items()},
}
DENSITIES = [name for name, make in FAMILIES.items() if isinstance(make(), DensityModel)]
MIXTURES = [name for name, make in FAMILIES.items() if isinstance(make(), Mixture)]


def fitted(name: str, x: Tensor | None = None) -> GenerativeModel:
    model = FAMILIES[name]()
    x = blobs() if x is None else x
    if isinstance(model, NeuralModel):
        return model.fit(NETS[name].x, training=Training(epochs=2), generator=generator())
    if isinstance(model, BayesClassifier):
        return model.fit(x, torch.arange(len(x)) % 3, generator=generator())
    return model if model.fitted else model.fit(x, generator=generator())


def fitted_density(name: str) -> DensityModel:
    model = fitted(name)
    assert isinstance(model, DensityModel)
    return model


def fitted_mixture(name: str) -> Mixture:
    model = fitted(name)
    assert isinstance(model, Mixture)
    return model


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_are_a_function_of_the_generator(name: str) -> None:
    model = fitted(name)
    first, second = model.sample(7, generator(1)), model.sample(7, generator(1))
    assert first.shape == (7, *(NETS[name].x.shape[1:] if name in NETS else (2,)))
    assert first.isfinite().all()
    assert torch.equal(first, second)
    assert not torch.equal(first, model.sample(7, generator(2)))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_loaded_model_is_the_saved_one(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    model.save(tmp_path / "folder" / "model.zip")
    loaded = type(model).load(tmp_path / "folder" / "model.zip")
    assert loaded.settings() == model.settings()
    assert torch.equal(loaded.sample(50, generator()), model.sample(50, generator()))
    if isinstance(model, DensityModel) and isinstance(loaded, DensityModel):
        assert torch.equal(loaded.log_prob(blobs()), model.log_prob(blobs()))
    loaded.save(tmp_path / "again.zip")
    assert torch.equal(type(model).load(tmp_path / "again.zip").sample(5, generator()),
                       model.sample(5, generator()))  # fmt: skip


def grid() -> tuple[Tensor, float]:
    """Points that cover the plane where data are, and the area of each."""
    side = torch.linspace(-16, 20, 500, dtype=DTYPE)
    return torch.cartesian_prod(side, side), float(side[1] - side[0]) ** 2


@pytest.mark.parametrize("name", DENSITIES)
def test_densities_integrate_to_one(name: str) -> None:
    x, area = grid()
    total = fitted_density(name).log_prob(x).exp().sum() * area
    assert total.item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", DENSITIES)
def test_samples_have_the_density(name: str) -> None:
    """Their means are the integrals, of moments and of the log-density itself."""
    model, (points, area) = fitted_density(name), grid()
    log_density = model.log_prob(points)
    drawn = model.sample(4000, generator())

    def features(x: Tensor, log_prob: Tensor) -> Tensor:
        return torch.stack([*x.T, *(x**2).T, x[:, 0] * x[:, 1], x[:, 0] ** 3, log_prob], 1)

    wanted = (features(points, log_density) * log_density.exp()[:, None]).sum(0) * area
    found = features(drawn, model.log_prob(drawn))
    assert ((found.mean(0) - wanted).abs() < 5 * found.std(0) / len(drawn) ** 0.5).all()


@pytest.mark.parametrize("name", DENSITIES)
def test_permuting_the_batch_permutes_the_result(name: str) -> None:
    model, x = fitted_density(name), blobs()
    order = torch.randperm(len(x), generator=generator())
    assert torch.allclose(model.log_prob(x[order]), model.log_prob(x)[order], atol=1e-12)
    assert torch.allclose(model.log_prob(x[:1]), model.log_prob(x)[:1], atol=1e-12)


@pytest.mark.parametrize("name", NETS)
def test_permuting_the_batch_permutes_what_is_told_of_rows(name: str) -> None:
    model, net = fitted(name), NETS[name]
    order = torch.randperm(len(net.x), generator=generator())
    whole = net.result(model, net.x)
    assert len(whole) == len(net.x)
    assert torch.allclose(net.result(model, net.x[order]), whole[order], atol=1e-5)
    assert torch.allclose(net.result(model, net.x[:1]), whole[:1], atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = fitted(name)
    assert isinstance(model, NeuralModel)
    batch, _ = model.preprocessed(model.as_batch(NETS[name].x), generator())
    players = model.players()
    owned = [each for parameters in players.values() for each in parameters]
    assert {id(each) for each in owned} == {id(each) for each in model.parameters()}
    assert len(owned) == len({id(each) for each in owned})
    for player, parameters in players.items():
        model.loss(batch, Moment(0, 9, 1, 10), generator(), player)["loss"].backward()
        for each in parameters:
            assert each.grad is not None
            assert each.grad.isfinite().all()
            assert each.grad.abs().sum() > 0


@pytest.mark.parametrize("name", DENSITIES)
def test_log_prob_has_the_right_gradient(name: str) -> None:
    model = fitted_density(name)
    x = blobs(5).requires_grad_()
    assert torch.autograd.gradcheck(model.log_prob, (x,))
    assert torch.equal(model.energy(x), -model.log_prob(x))


@pytest.mark.parametrize("name", [n for n in DENSITIES if n not in ("given",)])
def test_density_follows_the_units(name: str) -> None:
    """p(ax) = p(x) / a for what is fitted to data in another unit."""
    # Without preprocessing, the regularisation is in squared units of the data.
    raw = name in ("full", "tied", "diagonal", "spherical", "bayes")
    tolerance = 1e-3 if raw else 1e-8
    x, model = blobs(), fitted_density(name)
    scaled = fitted(name, 8 * x)
    assert isinstance(scaled, DensityModel)
    shift = 2 * torch.tensor(8.0, dtype=DTYPE).log()
    assert torch.allclose(scaled.log_prob(8 * x) + shift, model.log_prob(x), atol=tolerance)


@pytest.mark.parametrize("name", [n for n in MIXTURES if n != "whitened"])
def test_conditionals_are_ratios_of_densities(name: str) -> None:
    """p(b|a) p(a) = p(a, b), with p(a) by summing p(a, b) over b."""
    model = fitted_mixture(name)
    b = torch.linspace(-30, 30, 6001, dtype=DTYPE)
    for observed in (0, 1):
        mask = torch.arange(2) == observed
        rows = torch.empty(len(b), 2, dtype=DTYPE)
        rows[:, observed], rows[:, 1 - observed] = 1.3, b
        joint = model.log_prob(rows).exp()
        conditional = model.condition(rows[0], mask).log_prob(b[:, None]).exp()
        assert torch.allclose(joint / (joint.sum() * 0.01), conditional, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in MIXTURES if n != "whitened"])
def test_imputed_values_are_conditional_means(name: str) -> None:
    model, x = fitted_mixture(name), blobs(20)
    mask = torch.rand(x.shape, generator=generator()) < 0.5
    mask[~mask.any(1), 0] = True
    holes = torch.where(mask, x, torch.nan)
    whole = model.impute(holes, mask)
    assert torch.equal(whole[mask], x[mask])
    for row, seen, result in zip(holes, mask, whole, strict=True):
        if not seen.all():
            rest = model.condition(row, seen)
            mean = rest.preprocessing.inverse((rest.weights @ rest.means)[None])[0]
            assert torch.allclose(result[~seen], mean)


@pytest.mark.parametrize("name", [n for n in MIXTURES if n != "whitened"])
def test_drawn_values_have_the_conditional_mean(name: str) -> None:
    model = fitted_mixture(name)
    x, mask = torch.tensor([[1.0, 0.0]], dtype=DTYPE), torch.tensor([[True, False]])
    drawn = model.impute(x.repeat(4000, 1), mask.repeat(4000, 1), draw=True, generator=generator())
    gap = drawn[:, 1].mean() - model.impute(x, mask)[0, 1]
    assert abs(gap) < 5 * drawn[:, 1].std() / 4000**0.5
    assert (drawn[:, 0] == 1).all()
