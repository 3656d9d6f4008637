"""What a model of windows is compared with: principal components and linear forecasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class PrincipalComponents:
    """The best linear code of windows, and the Gaussian that goes with it.

    Attributes:
        mean: of the windows (P,), P = T · D.
        directions: (P, K), orthonormal.
        std: along them (K,).
        rest: standard deviations of what they leave (P,).
    """

    mean: Tensor
    directions: Tensor
    std: Tensor
    rest: Tensor

    @classmethod
    def fit(cls, x: Tensor, components: int) -> Self:
        """Of windows (N, T, D)."""
        rows = x.flatten(1).double()
        mean = rows.mean(0)
        rows = rows - mean
        variances, directions = torch.linalg.eigh(rows.T @ rows / len(rows))
        directions = directions.flip(1)[:, :components]
        std = variances.flip(0)[:components].clamp(min=0).sqrt()
        rest = (rows - rows @ directions @ directions.T).square().mean(0).sqrt()
        return cls(mean, directions, std, rest)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Windows (N, T, D) from their codes."""
        rows = x.flatten(1).double() - self.mean
        return (self.mean + rows @ self.directions @ self.directions.T).to(x).view_as(x)

    def sample(self, n: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Windows (n, *shape) of the Gaussian with these components and independent noise."""
        codes = torch.randn(n, len(self.std), generator=generator, dtype=torch.float64) * self.std
        noise = torch.randn(n, len(self.mean), generator=generator, dtype=torch.float64) * self.rest
        return (self.mean + codes @ self.directions.T + noise).float().view(n, *shape)


def last_value(past: Tensor, steps: int) -> Tensor:
    """The last step (N, D) of pasts (N, T, D), as a forecast (N, steps, D)."""
    return past[:, -1:].expand(-1, steps, -1)


@dataclass(frozen=True)
class Ridge:
    """Linear regression of y (N, ...) on x (N, ...) with a constant, for many penalties.

    Attributes:
        products: xᵀx, with a constant in x.
        moments: xᵀy.
        shape: of one y.
    """

    products: Tensor
    moments: Tensor
    shape: tuple[int, ...]

    @classmethod
    def fit(cls, x: Tensor, y: Tensor) -> Self:
        """Take the moments of the data."""
        rows = with_constant(x)
        return cls(rows.T @ rows, rows.T @ y.flatten(1).double(), tuple(y.shape[1:]))

    def weights(self, penalty: float) -> Tensor:
        """The best weights (F + 1, G) where each costs ``penalty`` times its square."""
        identity = torch.eye(len(self.products), dtype=torch.float64)
        identity[-1, -1] = 0
        return torch.linalg.solve(self.products + penalty * identity, self.moments)

    def predict(self, x: Tensor, penalty: float) -> Tensor:
        """Forecasts of y (N, ...)."""
        return (with_constant(x) @ self.weights(penalty)).view(len(x), *self.shape).to(x)


def with_constant(x: Tensor) -> Tensor:
    """Rows (N, F + 1) of x (N, ...) and a one, in float64."""
    rows = x.flatten(1).double()
    return torch.cat([rows, rows.new_ones(len(rows), 1)], 1)


def autoregression(one_step: Ridge, past: Tensor, steps: int, penalty: float) -> Tensor:
    """A linear autoregression's forecast (N, steps, D): each step from the steps before it.

    Args:
        one_step: fitted to pasts of the same length (N, T, D) and the steps after them (N, D).
        past: (N, T, D).
        steps: of the forecast.
        penalty: of the ridge.
    """
    weights = one_step.weights(penalty)
    window = past.double()
    for _ in range(steps):
        now = with_constant(window[:, -past.shape[1] :]) @ weights
        window = torch.cat([window, now[:, None]], 1)
    return window[:, past.shape[1] :].to(past)
