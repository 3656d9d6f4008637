"""Laws of two-sample tests, and of what windows are compared with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from generative.two_sample import two_sample_accuracy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import window_tables as tables
from window_baselines import (
    PrincipalComponents,
    Ridge,
    autoregression,
    last_value,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=generator(seed))


@pytest.mark.parametrize("hidden", [(), (32,)])
def test_the_same_distribution_cannot_be_told(hidden: tuple[int, ...]) -> None:
    found = two_sample_accuracy(
        normal(1500), normal(700, seed=1), hidden=hidden, generator=generator()
    )
    assert found.shape == (3,)
    assert found.mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("hidden", [(), (32,)])
def test_another_mean_is_told_as_well_as_can_be(hidden: tuple[int, ...]) -> None:
    fake = normal(2000, seed=1) + 0.75  # half the distance between the means is 0.75: Φ(0.75)
    found = two_sample_accuracy(normal(2000), fake, hidden=hidden, generator=generator())
    assert found.mean() == pytest.approx(0.773, abs=0.03)


def test_only_a_net_sees_another_covariance() -> None:
    x, fake = normal(1500), normal(1500, seed=1)
    fake[:, 1] = fake[:, 0]
    assert two_sample_accuracy(x, fake).mean() == pytest.approx(0.5, abs=0.06)
    assert two_sample_accuracy(x, fake, hidden=(64,), generator=generator()).mean() > 0.7


def test_units_do_not_count() -> None:
    x, fake, scale = normal(300), normal(300, seed=1) + 0.5, torch.tensor([1e-3, 1.0, 1e3, 7.0])
    a, b = two_sample_accuracy(x, fake), two_sample_accuracy(x * scale, fake * scale)
    torch.testing.assert_close(a, b, atol=0.02, rtol=0)


def test_groups_are_never_on_both_sides() -> None:
    """Rows that repeat within a group would otherwise be known by heart."""
    groups = torch.arange(12).repeat_interleave(20)
    x = normal(12, 60)[groups]
    fake = normal(240, 60, seed=1)
    apart = two_sample_accuracy(x, fake, groups=groups).mean()
    mixed = two_sample_accuracy(x, fake).mean()
    assert apart < mixed - 0.1


def test_a_seed_gives_the_same_figures() -> None:
    x, fake = normal(100), normal(100, seed=1)
    a, b = (two_sample_accuracy(x, fake, hidden=(8,), generator=generator()) for _ in range(2))
    assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("fake", "folds", "groups", "sentence"),
    [
        (normal(20, 5), 3, None, "rows of one shape"),
        (normal(20), 1, None, "folds=1; expected 2 to 20"),
        (normal(20), 3, torch.arange(20) % 2, "folds=3; expected 2 to 2"),
        (normal(20), 3, torch.arange(19), "19 groups"),
    ],
)
def test_wrong_input_is_a_sentence(
    fake: torch.Tensor, folds: int, groups: torch.Tensor | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        two_sample_accuracy(normal(20), fake, folds=folds, groups=groups)


def test_principal_components() -> None:
    low = normal(400, 2) @ torch.randn(2, 12, generator=generator(1)) + 3
    x = low.view(400, 4, 3)
    exact = PrincipalComponents.fit(x, 2)
    torch.testing.assert_close(exact.reconstruct(x), x, atol=1e-4, rtol=0)
    drawn = exact.sample(20_000, (4, 3), generator())
    torch.testing.assert_close(drawn.flatten(1).T.cov(), low.T.cov(), atol=0.5, rtol=0.1)
    one, two = (PrincipalComponents.fit(x + 0.1 * normal(400, 12).view_as(x), k) for k in (1, 2))
    assert (two.reconstruct(x) - x).norm() < (one.reconstruct(x) - x).norm()


def test_a_linear_system_is_forecast_exactly() -> None:
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
    steps = [normal(200, 2)]
    for _ in range(7):
        steps.append(steps[-1] @ turn.T)
    x = torch.stack(steps, 1)
    past, future = x[:, :3], x[:, 3:]
    ridge = Ridge.fit(past, x[:, 3])
    forecast = autoregression(ridge, past, 5, penalty=1e-6)
    torch.testing.assert_close(forecast, future, atol=1e-3, rtol=0)
    direct = Ridge.fit(past, future).predict(past, 1e-6)
    torch.testing.assert_close(direct, future, atol=1e-3, rtol=0)
    assert torch.equal(last_value(past, 2)[:, 1], x[:, 2])


def test_the_table_of_windows_shows_means() -> None:
    names = ("model", "pca gaussian", "windows fitted to")
    samples = {name: {"logistic": [0.5, 0.6], "mlp": [0.7, 0.9]} for name in names}
    rows = tables.two_sample_lines({"samples": samples, "settings": {}})
    assert "| samples of the sequence VAE | 0.550 | 0.800 |" in rows
    forecasts = ("model", "linear_autoregression", "linear_by_horizon")
    errors = {name: [0.1, 0.2, 0.3] for name in (*forecasts, "last_value", "mean_of_fitted")}
    assert "| sequence VAE | 0.100 | 0.200 |" in tables.forecast_lines(errors, 3)
