"""Bayes classifiers."""

from __future__ import annotations

from pathlib import Path

import torch
from toy_families import Bell

from generative import BayesClassifier, GaussianMixture, Mixture, Training, VariationalMixture


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def labelled(n: int = 600) -> tuple[torch.Tensor, torch.Tensor]:
    """Class 0 is one cluster, class 1, three times as frequent, two around it."""
    g = generator()
    y = (torch.arange(n) % 4 > 0).long()
    side = 2.0 * torch.randint(2, (n,), generator=g) - 1
    return torch.randn(n, 2, generator=g) + (6 * side * y)[:, None], y


def test_classes_follow_bayes_rule() -> None:
    x, y = labelled()
    model = BayesClassifier(GaussianMixture(2), 2).fit(x, y, generator=generator())
    assert torch.allclose(model.prior, torch.tensor([0.25, 0.75]))
    probabilities = model.predict_proba(x)
    assert torch.allclose(probabilities.sum(1), torch.ones(len(x)))
    assert (model.predict(x) == y).float().mean() > 0.97
    joint = model.log_joint(x)
    assert torch.allclose(probabilities, (joint - model.log_prob(x)[:, None]).exp(), atol=1e-6)


def test_two_gaussians_have_a_linear_boundary() -> None:
    """With unit covariances, log p(1|x) - log p(0|x) = 2 a x for means ±a."""
    x, y = labelled()
    model = BayesClassifier(GaussianMixture(1), 2).fit(x, y)
    for part, mean in zip(model.models, (-1.0, 1.0), strict=True):
        assert isinstance(part, Mixture)
        part._take(
            Mixture.of(torch.ones(1), torch.tensor([[mean, 0.0]]), torch.eye(2)[None]).gaussians
        )
    model.prior = torch.tensor([0.5, 0.5])
    joint = model.log_joint(x)
    assert torch.allclose(joint[:, 1] - joint[:, 0], 2 * x[:, 0], atol=1e-4)


def test_both_ways_of_sampling() -> None:
    x, y = labelled()
    model = BayesClassifier(GaussianMixture(2), 2).fit(x, y, generator=generator())
    drawn, labels = model.sample_labelled(2000, generator())
    assert abs(labels.float().mean() - 0.75) < 0.05
    assert (model.predict(drawn) == labels).float().mean() > 0.95
    ones = model.sample_class(1, 100, generator())
    assert (model.predict(ones) == 1).float().mean() > 0.95
    assert torch.equal(model.sample(9, generator()), model.sample_labelled(9, generator())[0])


def test_any_family_inside_is_saved(tmp_path: Path) -> None:
    x, y = labelled()
    model = BayesClassifier(VariationalMixture(6), 2).fit(x, y, generator=generator())
    model.save(tmp_path / "model")
    loaded = BayesClassifier.load(tmp_path / "model", family=VariationalMixture)
    assert torch.equal(loaded.log_joint(x), model.log_joint(x))


def test_families_that_learn_by_gradients_and_images_fit_inside(tmp_path: Path) -> None:
    y = torch.arange(300) % 3
    x = torch.randn(300, 1, 4, 4, generator=generator()) + y[:, None, None, None]
    family = Bell((1, 4, 4))
    family.training_defaults = Training(epochs=20, batch_size=10, learning_rate=0.03)
    model = BayesClassifier(family, 3).fit(x, y, generator=generator())
    assert (model.predict(x) == y).float().mean() > 0.95
    assert model.sample_class(2, 500, generator()).mean() > 1.8
    assert model.sample(5, generator()).shape == (5, 1, 4, 4)
    model.save(tmp_path / "model")
    loaded = BayesClassifier.load(tmp_path / "model", family=Bell)
    assert torch.equal(loaded.log_joint(x), model.log_joint(x))
