"""Laws of the distances between samples: closed forms, scipy's matrix root, invariances."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from generative.fidelity import frechet_distance, kernel_distance, modes_found, precision_recall


def normal(n: int = 500, width: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def mixed(x: Tensor, seed: int = 1) -> Tensor:
    """A linear map of rows, of full rank."""
    return x @ normal(x.shape[1], x.shape[1], seed)


def test_frechet_distance_is_that_of_scipys_root() -> None:
    x, y = mixed(normal()), mixed(normal(seed=2), 3) + 0.5
    first, second = np.cov(x.numpy().T), np.cov(y.numpy().T)
    root = sqrtm(first @ second).real
    gap = ((x.mean(0) - y.mean(0)) ** 2).sum().item()
    expected = gap + np.trace(first + second - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-9)


class AsGiven(torch.nn.Module):
    """An extractor of features that are known already."""

    num_features = 6

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save all")
def test_distances_are_those_of_torchmetrics() -> None:
    x, y = mixed(normal()), mixed(normal(seed=2), 3) + 0.5
    fid = FrechetInceptionDistance(AsGiven()).set_dtype(torch.float64)
    kid = KernelInceptionDistance(AsGiven(), subsets=1, subset_size=500)  # all rows
    for metric in (fid, kid):
        metric.update(x, real=True)
        metric.update(y, real=False)
    assert frechet_distance(x, y) == pytest.approx(fid.compute().item(), rel=1e-4)
    theirs = kid.compute()[0].item()
    assert kernel_distance(x, y, subsets=1, size=500)[0] == pytest.approx(theirs, rel=1e-4)


def test_frechet_distance_of_equal_shapes_is_that_of_means() -> None:
    x = mixed(normal())
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + 2) == pytest.approx(4 * x.shape[1])
    scaled = frechet_distance(x - x.mean(0), 3 * (x - x.mean(0)))
    assert scaled == pytest.approx(4 * torch.cov(x.T).trace().item())  # (3 - 1)²


def test_distances_are_symmetric_and_know_no_directions() -> None:
    x, y = mixed(normal()), normal(400, seed=4)
    turn = torch.linalg.qr(normal(6, seed=5)[:6])[0]
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(y, x))
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(frechet_distance(x, y))
    one, other = (kernel_distance(*pair, subsets=1, size=400)[0] for pair in ((x, y), (y, x)))
    assert one == pytest.approx(other, rel=0.5)  # parts of x are drawn
    whole = kernel_distance(y @ turn, y, subsets=1)[0]
    assert whole == pytest.approx(kernel_distance(y, y @ turn, subsets=1)[0])


def test_frechet_distance_takes_features_that_depend_on_one_another() -> None:
    x, y = normal(width=2), normal(width=2, seed=2)
    twice_x, twice_y = torch.cat([x, x], 1), torch.cat([y, y], 1)
    expected = 2 * frechet_distance(x, y)
    assert frechet_distance(twice_x, twice_y) == pytest.approx(expected, rel=1e-4)


def test_kernel_distance_is_unbiased() -> None:
    values = [
        kernel_distance(normal(50, 3, 2 * i), normal(50, 3, 2 * i + 1), subsets=1)[0]
        for i in range(100)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(len(values))


def test_kernel_distance_by_hand() -> None:
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [-1.0]])
    across = (1 + 0 + 1 + (-1) ** 3) / 4  # (x y + 1)³
    expected = 3.0**3 + 1 - 2 * across
    mean, spread = kernel_distance(x, y, subsets=3)
    assert mean == pytest.approx(expected)
    assert spread == pytest.approx(0)


def test_kernel_distance_follows_the_generator() -> None:
    x, y = normal(), normal(seed=1)
    first, second, third = (
        kernel_distance(x, y, size=50, subsets=3, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert first == second != third


def test_precision_and_recall_tell_what_is_missing_from_what_is_wrong() -> None:
    x = torch.cat([normal(300, 2), normal(300, 2, 1) + 20])
    one_mode = normal(600, 2, 2)
    precision, recall = precision_recall(x, one_mode)
    assert precision > 0.95
    assert 0.4 < recall < 0.5
    half_wrong = torch.cat([x[::2] + 0.01, 100 + normal(300, 2, 3)])
    precision, recall = precision_recall(x, half_wrong)
    assert 0.45 < precision < 0.55
    assert recall > 0.9
    assert precision_recall(x, x + 1000) == (0, 0)


def test_modes_are_found_where_samples_are_near() -> None:
    modes = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    samples = modes[[0, 0, 1, 2]] + torch.tensor([[0.1, 0], [0, -0.1], [0, 0.1], [1, 0]])
    assert modes_found(samples, modes, 0.3) == (2, 0.75)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: frechet_distance(normal(5, 3), normal(5, 4)), r"shapes \(5, 3\) and \(5, 4\)"),
        (lambda: kernel_distance(normal(5, 3), normal(1, 3)), "5 and 1 rows"),
        (lambda: precision_recall(normal(3, 3), normal(9, 3)), "neighbours=3 and 3 and 9"),
    ],
)
def test_samples_that_cannot_be_compared_are_refused(call: object, told: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=told):
        call()
