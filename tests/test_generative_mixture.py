"""Gaussian mixtures: against scikit-learn, in float32, with missing values and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor

from generative import (
    Chain,
    Dequantise,
    DropConstant,
    GaussianMixture,
    Logit,
    Mixture,
    Standardise,
    VariationalMixture,
    Whiten,
)
from generative.gaussians import Covariance

KINDS: dict[Covariance, Any] = {
    "full": "full",
    "tied": "tied",
    "diagonal": "diag",
    "spherical": "spherical",
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clusters(n: int, d: int, k: int, seed: int = 0, spread: float = 3.0) -> Tensor:
    """Correlated clusters in d dimensions, float64."""
    g = generator(seed)
    means = spread * torch.randn(k, d, generator=g, dtype=torch.float64)
    shapes = torch.eye(d) / 2 + torch.randn(k, d, d, generator=g, dtype=torch.float64) / d**0.5 / 2
    noise = torch.randn(n, d, generator=g, dtype=torch.float64)
    which = torch.randint(k, (n,), generator=g)
    return means[which] + torch.einsum("nd,nde->ne", noise, shapes[which])


def precisions(start: GaussianMixture) -> np.ndarray[Any, Any]:
    """As scikit-learn wants them."""
    a = start.whiteners
    return (a.mT @ a if a.dim() > 1 and a.shape[-1] == a.shape[-2] else a**2).numpy()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_em_from_the_same_start_is_scikit_learns(kind: Covariance) -> None:
    x = clusters(1500, 5, 7)
    start = GaussianMixture(4, kind, iterations=1).fit(x, generator=generator())
    ours = GaussianMixture(4, kind, iterations=25, tolerance=0.0).fit(x, start=start)
    theirs = Reference(
        4,
        covariance_type=KINDS[kind],
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=precisions(start),
        max_iter=len(ours.history),
        tol=0.0,
    )
    theirs.fit(x.numpy())
    assert ours.log_prob(x).mean().item() == pytest.approx(theirs.score(x.numpy()), rel=1e-8)
    assert ours.bic(x) == pytest.approx(theirs.bic(x.numpy()), rel=1e-8)
    assert ours.aic(x) == pytest.approx(theirs.aic(x.numpy()), rel=1e-8)
    assert np.allclose(ours.responsibilities(x).numpy(), theirs.predict_proba(x.numpy()), atol=1e-6)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_likelihood_never_falls(kind: Covariance, missing: bool) -> None:
    x = clusters(400, 4, 5)
    mask = torch.rand(x.shape, generator=generator()) < 0.8
    mask[:, 0] |= ~mask.any(1)
    model = GaussianMixture(4, kind, regularisation=0.0, iterations=20, tolerance=0.0)
    model.fit(x, mask=mask if missing else None, generator=generator())
    assert len(model.history) > 3
    assert np.diff(model.history).min() > -1e-9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_float32_keeps_up_where_components_hold_few_points(kind: Covariance, seed: int) -> None:
    """Outliers get components of their own, whose only variance is the regularisation."""
    x = clusters(800, 5, 4, seed)
    x = torch.cat([x, torch.full((1, 5), 30.0), torch.full((1, 5), -40.0)])
    settings: Any = {"regularisation": 1e-6, "iterations": 40, "tolerance": 0.0}
    start = GaussianMixture(10, kind, iterations=1).fit(x, generator=generator(seed))
    wide = GaussianMixture(10, kind, **settings).fit(x, start=start)
    narrow = GaussianMixture(10, kind, **settings).fit(x.float(), start=start)
    assert narrow.means.dtype == torch.float32
    if kind in ("full", "diagonal"):
        assert wide.weights.min() * len(x) < 3.5
    assert narrow.log_prob(x).double().mean().item() == pytest.approx(
        wide.log_prob(x).mean().item(), abs=1e-3
    )


def test_one_component_for_each_row() -> None:
    x = torch.randn(6, 3, generator=generator())
    model = GaussianMixture(6).fit(x, generator=generator())
    assert torch.allclose(model.weights, torch.full((6,), 1 / 6))
    assert torch.allclose(model.means.sort(0).values, x.sort(0).values, atol=1e-4)


def test_more_components_than_different_rows() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(10, 1)
    model = GaussianMixture(5).fit(x, generator=generator())
    assert model.log_prob(x).isfinite().all()
    assert model.sample(3, generator()).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_all_observed_is_not_missing(kind: Covariance) -> None:
    x = clusters(300, 3, 3)
    start = GaussianMixture(3, kind, iterations=1).fit(x, generator=generator())
    plain = GaussianMixture(3, kind, iterations=5, tolerance=0.0).fit(x, start=start)
    masked = GaussianMixture(3, kind, iterations=5, tolerance=0.0).fit(
        x, mask=torch.ones_like(x, dtype=torch.bool), start=start
    )
    assert torch.allclose(plain.log_prob(x), masked.log_prob(x), atol=1e-9)


def test_missing_values_hardly_hurt_one_gaussian() -> None:
    """With a third of correlated values missing, EM finds the covariance; mean filling cannot."""
    g = generator()
    factor = torch.tensor([[1.0, 0.0, 0.0], [0.9, 0.4, 0.0], [0.8, 0.1, 0.5]], dtype=torch.float64)
    x = torch.randn(5000, 3, generator=g, dtype=torch.float64) @ factor.T
    mask = torch.rand(x.shape, generator=g) < 0.67
    mask[:, 0] |= ~mask.any(1)
    model = GaussianMixture(1, tolerance=1e-6).fit(torch.where(mask, x, torch.nan), mask=mask)
    assert torch.allclose(model.covariances()[0], factor @ factor.T, atol=0.08)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_count_rows(kind: Covariance) -> None:
    x = clusters(200, 3, 3)
    weights = torch.arange(200) % 3
    start = GaussianMixture(3, kind, iterations=1).fit(x, generator=generator())
    settings: Any = {"iterations": 6, "tolerance": 0.0}
    weighted = GaussianMixture(3, kind, **settings).fit(x, weights=weights, start=start)
    repeated = GaussianMixture(3, kind, **settings).fit(
        x.repeat_interleave(weights, 0), start=start
    )
    assert torch.allclose(weighted.log_prob(x), repeated.log_prob(x))


def test_impute_one_gaussian_is_the_closed_form() -> None:
    g = generator()
    root = torch.randn(4, 4, generator=g, dtype=torch.float64)
    covariance, mean = root @ root.T, torch.randn(4, generator=g, dtype=torch.float64)
    model = Mixture.of(torch.ones(1, dtype=torch.float64), mean[None], covariance[None])
    x, seen = torch.randn(1, 4, generator=g, dtype=torch.float64), torch.tensor([1, 0, 1, 0]) > 0
    gain = covariance[~seen][:, seen] @ covariance[seen][:, seen].inverse()
    wanted = mean[~seen] + gain @ (x[0, seen] - mean[seen])
    assert torch.allclose(model.impute(x, seen[None])[0, ~seen], wanted)
    rest = model.condition(x[0], seen)
    left = covariance[~seen][:, ~seen] - gain @ covariance[seen][:, ~seen]
    assert torch.allclose(rest.means[0], wanted)
    assert torch.allclose(rest.covariances()[0], left)


def test_constant_dimensions_have_no_density() -> None:
    """Noise on dimensions that never varied changes nothing once they are dropped."""
    x = clusters(500, 3, 2).float()
    padded = torch.cat([x, torch.full((500, 4), 0.3)], 1)
    noisy = padded + torch.cat([torch.zeros(3), torch.ones(4)]) * 0.01 * torch.randn(500, 7)
    raw = GaussianMixture(2).fit(padded, generator=generator())
    assert raw.log_prob(padded).mean() > raw.log_prob(noisy).mean() + 100
    live = GaussianMixture(2, preprocessing=Chain(DropConstant(), Standardise()))
    live.fit(padded, generator=generator())
    assert torch.equal(live.log_prob(padded), live.log_prob(noisy))
    assert torch.equal(live.sample(5, generator())[:, 3:], torch.full((5, 4), 0.3))
    part = live.condition(padded[0], torch.arange(7) < 2)
    assert part.sample(2, generator()).shape == (2, 5)


def test_pixels_there_and_back() -> None:
    pixels = torch.randint(16, (50, 6), generator=generator()).float()
    chain = Chain(Dequantise(16), Logit(0.01))
    y, log_det = chain(pixels, generator())
    assert torch.equal(chain.inverse(y), pixels)
    assert log_det.shape == (50,)
    model = GaussianMixture(1, preprocessing=chain).fit(pixels)
    assert ((model.sample(20, generator()) % 1) == 0).all()


def test_numpy_goes_in() -> None:
    x = clusters(60, 2, 2).numpy()
    model = GaussianMixture(2).fit(x, generator=generator())
    assert model.means.dtype == torch.float64
    assert model.log_prob(x).shape == (60,)
    backwards = x[::-1]
    backwards.flags.writeable = False
    assert torch.equal(model.log_prob(backwards), model.log_prob(x).flip(0))
    assert model.impute(x[:3], np.array([[True, False]] * 3)).shape == (3, 2)
    assert GaussianMixture(2).fit(x.astype(np.float16)).means.dtype == torch.float32


def test_far_from_the_origin_float32_is_as_good() -> None:
    x = clusters(500, 4, 3).float().double()  # whole multiples of what is left at 1,000
    x = (x * 1024).round() / 1024
    far = (x + 1000).float()
    near = GaussianMixture(3).fit(x, generator=generator())
    moved = GaussianMixture(3).fit(far, generator=generator())
    assert torch.allclose(moved.log_prob(far).double(), near.log_prob(x), atol=2e-2)


@pytest.mark.parametrize("prior", ["dirichlet process", "dirichlet"])
@pytest.mark.parametrize("d", [2, 10, 30])
def test_variational_mixtures_count_clusters(prior: Any, d: int) -> None:
    x = clusters(1500, d, 8, seed=1, spread={2: 12.0, 10: 4.0, 30: 3.0}[d]).float()
    model = VariationalMixture(20, prior).fit(x, generator=generator())
    assert model.alive == 8
    assert np.diff(model.history).min() > -1e-6


def test_variational_mixtures_keep_one_gaussian_whole() -> None:
    x = torch.randn(1000, 20, generator=generator())
    model = VariationalMixture(8, preprocessing=Whiten()).fit(x, generator=generator())
    assert model.alive == 1


@pytest.mark.parametrize("prior", ["dirichlet process", "dirichlet"])
def test_variational_mixtures_weigh_rows(prior: Any) -> None:
    x = clusters(300, 3, 3)
    twice = VariationalMixture(6, prior).fit(
        x, weights=torch.full((300,), 2), generator=generator()
    )
    both = VariationalMixture(6, prior).fit(x.repeat(2, 1), generator=generator())
    assert twice.alive == both.alive
    assert torch.allclose(twice.log_prob(x).mean(), both.log_prob(x).mean(), atol=0.02)
    hardly = VariationalMixture(6, prior).fit(x, weights=torch.full((300,), 1e-4))
    assert hardly.alive == 1
    assert VariationalMixture(1, prior).fit(x).alive == 1
