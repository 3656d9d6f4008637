"""Densities in the plane of known form, also with noise added, for tests of what learns them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from generative import Mixture
from generative.two_sample import mean_discrepancy


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def three_blobs(noise: float = 0.0) -> Mixture:
    """Three Gaussians in a triangle of spread 1, of different shapes, with noise added."""
    angles = 2 * math.pi * torch.arange(3) / 3
    means = torch.stack([angles.cos(), angles.sin()], 1) * 1.3
    shapes = torch.tensor([[0.12, 0.0], [0.0, 0.12]]), torch.tensor([[0.2, 0.1], [0.1, 0.12]])
    covariances = torch.stack([shapes[0], shapes[1], shapes[0]]) + noise**2 * torch.eye(2)
    return Mixture.of(torch.tensor([0.4, 0.3, 0.3]), means, covariances)


def score(density: Mixture, x: Tensor) -> Tensor:
    """∇ log p (B, D)."""
    rows = x.detach().clone().requires_grad_()
    return torch.autograd.grad(density.log_prob(rows).sum(), rows)[0]


def gaussian_score(density: Mixture, x: Tensor) -> Tensor:
    """What the Gaussian with mean and covariance of a density would give."""
    drawn = density.sample(20_000, generator(3))
    return -torch.linalg.solve(torch.cov(drawn.T), (x - drawn.mean(0)).T).T


def relative_error(found: Tensor, true: Tensor) -> float:
    """Root mean square of the error over that of what is true."""
    return float((found - true).norm() / true.norm())


def like_data(drawn: Tensor, density: Mixture, repeats: int = 40) -> bool:
    """Whether rows are no farther from data than 95% of as many data are from each other."""
    n = len(drawn)
    data = density.sample(n, generator(100))
    usual = [
        mean_discrepancy(
            density.sample(n, generator(2 * i)), density.sample(n, generator(2 * i + 1)), 0.5
        )
        for i in range(repeats)
    ]
    return bool(mean_discrepancy(drawn, data, 0.5) <= torch.stack(usual).quantile(0.95))
