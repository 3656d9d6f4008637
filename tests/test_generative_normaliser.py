"""Laws of the running normaliser: exact moments, whatever the chunks; safe constants."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from generative import RunningNorm


def data(rows: int = 600) -> Tensor:
    """Columns of different scales, one of them far from zero and one heavy-tailed."""
    x = torch.randn(rows, 5, generator=torch.Generator().manual_seed(0))
    x = x * torch.tensor([1.0, 1e-3, 1e3, 1.0, 1.0]) + torch.tensor([0.0, 0.0, 0.0, 500.0, 0.0])
    x[:, 4] = x[:, 4] ** 3
    return x


def fed(*chunks: Tensor) -> RunningNorm:
    norm = RunningNorm(chunks[0].shape[-1])
    for chunk in chunks:
        norm.update(chunk)
    return norm


def assert_moments(norm: RunningNorm, x: Tensor, tolerance: float = 1e-6) -> None:
    exact = x.reshape(-1, x.shape[-1]).double().numpy()
    std = exact.std(0)
    assert norm.count == len(exact)
    np.testing.assert_allclose(norm.var.numpy(), std**2, rtol=50 * tolerance)
    rounding = tolerance * (np.abs(exact.mean(0)) + std)
    assert (np.abs(norm.mean.numpy() - exact.mean(0)) <= rounding).all()


@pytest.mark.parametrize("sizes", [(600,), (1, 599), (1,) * 600, (100,) * 6, (300, 7, 293)])
def test_moments_are_those_of_all_rows_for_any_chunking(sizes: tuple[int, ...]) -> None:
    x = data()
    assert_moments(fed(*x.split(list(sizes))), x, tolerance=2e-6)


def test_order_does_not_matter() -> None:
    x = data()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1))
    one, other = fed(*x.split(50)), fed(*x[order].split(90))
    torch.testing.assert_close(one.var, other.var, rtol=1e-4, atol=0)
    torch.testing.assert_close(one.mean, other.mean, rtol=1e-5, atol=1e-3)


def test_leading_dimensions_are_rows() -> None:
    x = data()
    assert torch.equal(fed(x.view(20, 30, 5)).var, fed(x).var)


def test_variance_survives_a_mean_far_from_zero() -> None:
    x = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0)) + 1e4
    assert_moments(fed(*x.split(100)), x, tolerance=2e-6)


def test_normalised_data_has_mean_zero_and_deviation_one() -> None:
    x = data(5000)
    y = RunningNorm(5, clip=math.inf)
    y.update(x)
    torch.testing.assert_close(y(x).mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(y(x).var(0, correction=0), torch.ones(5), atol=2e-2, rtol=0)


def test_nothing_changes_before_the_first_update() -> None:
    x = torch.tensor([[0.5, -3.0, 20.0]])
    torch.testing.assert_close(RunningNorm(3)(x), torch.tensor([[0.5, -3.0, 10.0]]))
    torch.testing.assert_close(RunningNorm(3).std, torch.ones(3))


def test_output_is_clipped() -> None:
    norm = RunningNorm(5, clip=2.0)
    norm.update(data())
    assert norm(1e6 * data()).abs().max() == 2


def test_inverse_undoes_forward() -> None:
    x = data()
    x[:, 0] = 7.0
    norm = fed(x)
    inside = x[(norm(x).abs() < 9.9).all(1)]
    torch.testing.assert_close(norm.inverse(norm(inside)), inside, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e4 / 3, 1e30])
def test_a_constant_dimension_gives_zero_for_any_input(value: float) -> None:
    norm = RunningNorm(1)
    for rows in (1, 1000, 37):
        norm.update(torch.full((rows, 1), value))
    inputs = torch.tensor([[value], [value * (1 + 1e-6)], [value + 5.0], [-1e30]])
    assert torch.equal(norm(inputs), torch.zeros(4, 1))
    assert norm.inverse(torch.ones(1, 1)) == norm.mean
    assert norm.mean.item() == pytest.approx(value)
    assert norm.std > 0


def test_rounding_noise_counts_as_constant() -> None:
    noise = 1 + 1e-7 * torch.randn(1000, 1)
    assert not fed(1e3 * noise)(2e3 * noise).any()


def test_a_dimension_counts_from_the_update_after_it_varied() -> None:
    norm = fed(torch.zeros(100, 1))
    assert norm(torch.ones(1, 1)) == 0
    x = torch.cat([torch.zeros(100, 1), torch.randn(100, 1)])
    norm.update(x[100:])
    assert_moments(norm, x)
    assert norm(torch.ones(1, 1)) > 0.5


def test_scalars_are_the_case_of_one_dimension() -> None:
    returns = torch.randn(8, 30) * 4 + 2  # (T, N)
    norm = RunningNorm(1)
    for row in returns:
        norm.update(row.unsqueeze(-1))
    torch.testing.assert_close(norm.std, returns.std(correction=0).view(1))


def test_statistics_change_only_in_update() -> None:
    norm = fed(data())
    before = copy.deepcopy(norm.state_dict())
    norm.train()(data())
    norm.inverse(data())
    assert all(torch.equal(before[name], value) for name, value in norm.state_dict().items())


def test_nothing_waits_for_the_device() -> None:
    norm, x = RunningNorm(5).to("meta"), torch.empty(10, 5, device="meta")
    norm.update(x)  # a meta tensor has no values: reading one back would raise
    assert norm.inverse(norm(x)).shape == (10, 5)


def test_state_dict_round_trip_continues_identically() -> None:
    x = data()
    norm, other = fed(x[:200]), RunningNorm(5)
    other.load_state_dict(norm.state_dict())
    for each in (norm, other):
        each.update(x[200:])
    assert torch.equal(norm(x), other(x))
    assert norm.count == other.count
    assert set(norm.state_dict()) == {"mean", "var", "count"}


def test_gradients_pass_through_to_the_input() -> None:
    norm = fed(data())
    x = data(3).requires_grad_()
    norm(x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, (1 / norm.std).expand(3, 5))


@pytest.mark.parametrize("shape", [(3, 4), (5, 1), (0, 5), ()])
def test_rows_that_do_not_fit_are_refused_and_change_nothing(shape: tuple[int, ...]) -> None:
    norm = RunningNorm(5)
    with pytest.raises(ValueError, match="expected at least one row of width 5"):
        norm.update(torch.zeros(shape))
    assert norm.count == 0


@pytest.mark.parametrize(
    "settings", [(0, 1.0, 1.0), (3, 0.0, 1.0), (3, 1.0, 0.0), (3, 1.0, math.nan)]
)
def test_settings_must_be_positive(settings: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        RunningNorm(*settings)
