"""The von Mises-Fisher distribution against quadrature, at every dimension and concentration."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor
from torch.distributions import kl_divergence

from generative.angles import angle_slope, draw_angles
from generative.bessel import log_partition
from generative.sphere import HypersphericalUniform, log_area
from generative.von_mises_fisher import VonMisesFisher

DTYPE = torch.float64
DIMENSIONS = (2, 3, 5, 20, 50, 100, 300, 1000)
KAPPAS = (0.0, 1e-3, 1e-2, 0.1, 1.0, 10.0, 20.0, 100.0, 1e3, 1e4, 1e5)
LEGENDRE = np.polynomial.legendre.leggauss(200)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Angle:
    """The density of the angle on the nodes of a quadrature, for moments of functions of it."""

    def __init__(self, dimension: int, kappa: float, end: float = math.pi) -> None:
        half = (dimension - 2) / 2
        mode = math.acos(kappa / (half + math.hypot(half, kappa))) if kappa + half else math.pi / 2
        curvature = (dimension - 2) / max(math.sin(mode), 1e-9) ** 2 + kappa * math.cos(mode)
        reach = 14 / math.sqrt(curvature) if curvature else math.pi
        low, high = max(0.0, mode - reach), min(end, mode + reach)
        nodes, weights = LEGENDRE
        self.theta = low + (high - low) * (nodes + 1) / 2
        self.gap = 2 * np.sin(self.theta / 2) ** 2  # 1 - cos θ
        self.level = (dimension - 2) * np.log(np.sin(self.theta)) - kappa * self.gap
        mass = weights * np.exp(self.level - self.level.max())
        area = (
            math.log(math.pi) / 2
            + special.gammaln((dimension - 1) / 2)
            - special.gammaln(dimension / 2)
        )
        self.log_mean = kappa + math.log(mass.sum() * (high - low) / 2) + self.level.max() - area
        self.mass = mass / mass.sum()

    def mean(self, values: np.ndarray) -> float:
        return float(self.mass @ values)


def test_the_quadrature_of_these_tests_is_that_of_the_bessel_functions() -> None:
    for dimension, kappa in product((2, 3, 5, 20, 50, 100), (1.0, 10.0, 100.0, 1e4)):
        order = dimension / 2 - 1
        ratio = special.ive(order + 1, kappa) / special.ive(order, kappa)
        log_mean = (
            special.gammaln(order + 1)
            + order * math.log(2 / kappa)
            + math.log(special.ive(order, kappa))
            + kappa
        )
        truth = Angle(dimension, kappa)
        assert truth.mean(1 - truth.gap) == pytest.approx(ratio, rel=1e-11)
        assert truth.log_mean == pytest.approx(log_mean, rel=1e-11)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_partition_cosine_and_variance_are_those_of_quadrature(dimension: int) -> None:
    kappa = torch.tensor(KAPPAS, dtype=DTYPE, requires_grad=True)
    log_mean, cosine = log_partition(dimension, kappa)
    (slope,) = torch.autograd.grad(log_mean.sum(), kappa, retain_graph=True)
    (variance,) = torch.autograd.grad(cosine.sum(), kappa)
    assert torch.equal(slope, cosine)
    for i, each in enumerate(KAPPAS):
        truth = Angle(dimension, each)
        mean_gap = truth.mean(truth.gap)
        assert log_mean[i].item() == pytest.approx(truth.log_mean, rel=1e-10, abs=1e-12)
        assert 1 - cosine[i].item() == pytest.approx(mean_gap, rel=1e-9)
        assert variance[i].item() == pytest.approx(
            truth.mean((truth.gap - mean_gap) ** 2), rel=1e-9
        )


def test_small_and_huge_concentrations_keep_their_digits() -> None:
    """log E exp(κ t) = κ² / 2d - κ⁴ / (4 d² (d + 2)) + …; 1 - A -> (d - 1) / 2κ."""
    for dimension in (2, 20, 1000):
        kappa = torch.tensor([1e-8, 1e-3, 1e9], dtype=DTYPE, requires_grad=True)
        log_mean, cosine = log_partition(dimension, kappa)
        series = kappa**2 / (2 * dimension)
        assert log_mean[:2].tolist() == pytest.approx(series[:2].tolist(), rel=1e-6)
        (variance,) = torch.autograd.grad(cosine.sum(), kappa)
        assert variance[2].item() == pytest.approx((dimension - 1) / 2e18, rel=1e-5)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_divergence_and_entropy_are_those_of_quadrature(dimension: int, dtype: torch.dtype) -> None:
    kappa = torch.tensor(KAPPAS, dtype=dtype)
    q = VonMisesFisher(torch.eye(1, dimension, dtype=dtype), kappa)
    kl = kl_divergence(q, HypersphericalUniform(dimension))
    assert kl.dtype == dtype
    assert torch.allclose(q.entropy() + kl, torch.full_like(kl, log_area(dimension)), rtol=1e-5)
    for found, each in zip(kl.tolist(), KAPPAS, strict=True):
        truth = Angle(dimension, each)
        exact = each - each * truth.mean(truth.gap) - truth.log_mean
        # What the quadrature rounds away of κ² / d is more than what float32 does.
        tolerance = 1e-6 if dtype == torch.float32 else 1e-9
        assert found == pytest.approx(exact, rel=tolerance, abs=1e-12)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_mean_cosine_of_samples_is_the_bessel_ratio(dimension: int, dtype: torch.dtype) -> None:
    """1e5 draws for each κ; in high dimensions of the angle alone, which decides the cosine."""
    n = 100_000
    for kappa in KAPPAS:
        truth = Angle(dimension, kappa)
        if dimension <= 20:
            loc = torch.nn.functional.normalize(
                torch.arange(1.0, dimension + 1, dtype=dtype), dim=0
            )
            q = VonMisesFisher(loc, torch.tensor(kappa, dtype=dtype))
            x = q.sample((n,), generator())
            assert x.dtype == dtype
            gap = (x.double() - loc.double()).square().sum(-1) / 2
        else:
            gap = (
                1 - draw_angles(torch.full((n,), kappa, dtype=DTYPE), dimension, generator()).cos()
            )
        error = gap.std().item() / n**0.5
        assert abs(gap.mean().item() - truth.mean(truth.gap)) < 5 * error, kappa


@pytest.mark.parametrize(
    ("dimension", "kappa"), [(2, 0.0), (2, 3.0), (3, 50.0), (10, 5.0), (300, 2e3)]
)
def test_angles_have_their_distribution(dimension: int, kappa: float) -> None:
    """Kolmogorov's test on ranks under the distribution function, from quadrature up to each."""
    drawn = draw_angles(torch.full((500,), kappa, dtype=DTYPE), dimension, generator()).numpy()
    whole = Angle(dimension, kappa).log_mean
    ranks = [math.exp(Angle(dimension, kappa, end=each).log_mean - whole) for each in drawn]
    assert stats.kstest(ranks, "uniform").pvalue > 0.01


def test_angles_move_as_by_inversion() -> None:
    """In R³ the inverse of F is known: cos θ = 1 + log(u + (1 - u) exp(-2κ)) / κ."""
    u = torch.rand(200, dtype=DTYPE, generator=generator())
    for each in (1e-2, 1.0, 30.0, 1e4):
        kappa = torch.full_like(u, each).requires_grad_()
        cos = 1 + torch.log(u + (1 - u) * torch.exp(-2 * kappa)) / kappa
        angle = cos.acos()
        (slope,) = torch.autograd.grad(angle.sum(), kappa)
        kappa = kappa.detach()
        found = angle_slope(angle.detach(), kappa, log_partition(3, kappa)[1], 3)
        assert torch.allclose(found, slope, rtol=1e-5)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_gradients_of_expectations_are_the_analytic_ones(
    dimension: int, dtype: torch.dtype
) -> None:
    """E[a·x + (b·x)²] = A a·μ + m (b·μ)² + (1 - m) / (d - 1) (b·b - (b·μ)²) with m = E (μ·x)²."""
    n = 10_000 if dimension <= 20 else 1000
    mean, *features = torch.randn(3, dimension, generator=generator(1), dtype=dtype)
    mean = mean / mean.norm()
    a, b, mu = features[0].double(), features[1].double(), mean.double()
    for kappa in KAPPAS:
        loc = mean.expand(n, -1).clone().requires_grad_()
        concentration = torch.full((n,), kappa, dtype=dtype).requires_grad_()
        x = VonMisesFisher(loc, concentration).rsample((), generator())
        value = x @ features[0] + (x @ features[1]) ** 2
        by_loc, by_kappa = torch.autograd.grad(value.sum(), (loc, concentration))
        truth = Angle(dimension, kappa)
        gap, across = truth.gap, truth.gap * (2 - truth.gap)  # 1 - t, 1 - t²
        centred = truth.mean(gap) - gap
        part = truth.mean(across) / (dimension - 1)
        along = 1 - truth.mean(across) - part
        slope = -truth.mean(centred * across)  # of m in κ
        rest = (b @ b - (b @ mu) ** 2) / (dimension - 1)
        exact_kappa = truth.mean(centred**2) * (a @ mu) + slope * ((b @ mu) ** 2 - rest)
        close(by_kappa, exact_kappa)
        exact = (1 - truth.mean(gap)) * a + 2 * along * (b @ mu) * b
        tangent = a - (a @ mu) * mu
        close(by_loc.double() @ tangent, exact @ tangent)


@pytest.mark.parametrize("dimension", [2, 3, 20, 300])
def test_points_lie_on_the_sphere_evenly_about_the_mean(dimension: int) -> None:
    """E x = A μ, along and across, wherever μ points: also at the poles of the reflection."""
    axes = torch.eye(1, dimension).repeat(4, 1) * torch.tensor([[1.0], [-1.0], [0.0], [0.0]])
    axes[2, 1], axes[3, :2] = 1, -(0.5**0.5)
    q = VonMisesFisher(axes, torch.tensor(float(dimension)))
    x = q.sample((2000,), generator())
    assert x.shape == (2000, 4, dimension)
    assert torch.allclose(x.norm(dim=-1), torch.ones(2000, 4), atol=1e-5)
    assert ((x.mean(0) - q.mean).abs() < 5 * x.std(0) / 2000**0.5).all()
    assert torch.equal(x, q.sample((2000,), generator()))
    assert q.mode.equal(axes)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_entropy_is_the_mean_of_minus_the_log_density(dimension: int) -> None:
    """In float32, whose digits μ·x alone would spend where κ is large."""
    loc = torch.nn.functional.normalize(torch.ones(500, dimension), dim=1)
    for kappa in KAPPAS:
        q = VonMisesFisher(loc, torch.tensor(kappa))
        surprise = -q.log_prob(q.sample((), generator()))
        error = 5 * surprise.std() / 500**0.5 + 1e-5 * q.entropy()[0].abs()
        assert (surprise.mean() - q.entropy()[0]).abs() < error


def test_the_log_density_has_the_right_gradients() -> None:
    loc = torch.nn.functional.normalize(
        torch.randn(5, 4, dtype=DTYPE, generator=generator()), dim=1
    )
    kappa = torch.tensor([0.0, 0.5, 3.0, 40.0, 900.0], dtype=DTYPE).requires_grad_()
    x = HypersphericalUniform(4, loc).sample((5,), generator())

    def density(mean: Tensor, kappa: Tensor, x: Tensor) -> Tensor:
        return VonMisesFisher(mean, kappa, validate_args=False).log_prob(x)

    assert torch.autograd.gradcheck(density, (loc.requires_grad_(), kappa + 0.1, x))
    uniform = HypersphericalUniform(4, loc)
    assert torch.allclose(density(loc, 0 * kappa, x), uniform.log_prob(x))
    assert torch.equal(uniform.log_prob(x), -uniform.entropy().expand(5))


@pytest.mark.parametrize(
    ("loc", "kappa", "sentence"),
    [
        ([0.0, 1.0], -1.0, "concentration is -1; expected finite numbers from 0 up"),
        ([0.0, 1.0], math.inf, "concentration is inf"),
        ([0.0, 1.0], math.nan, "concentration is nan"),
        ([3.0, 4.0], 1.0, "location has the length 5; expected unit vectors"),
        ([1.0], 1.0, "space of 1 dimensions was asked for; expected 2 or more"),
    ],
)
def test_wrong_parameters_are_told_in_a_sentence(
    loc: list[float], kappa: float, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        VonMisesFisher(torch.tensor(loc), torch.tensor(kappa))


def test_spheres_of_different_spaces_are_not_compared() -> None:
    q = VonMisesFisher(torch.tensor([0.0, 1.0]), torch.tensor(1.0))
    with pytest.raises(ValueError, match=r"between spheres of R\^2 and R\^3"):
        kl_divergence(q, HypersphericalUniform(3))


def close(samples: Tensor, exact: Tensor) -> None:
    """Their mean is the exact value within five standard errors."""
    gap = samples.double().mean() - exact
    assert gap.abs() < 5 * samples.double().std() / len(samples) ** 0.5
