"""Noise that remembers: a Gaussian vector autoregression of order 1 around a path."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from generative.data import wide

_RIDGE = 1e-3  # a part of the mean variance of a residual
_LEAST_VARIANCE = 1e-4  # of innovations; linear combinations that never vary have no density
_LONGEST_MEMORY = 0.99  # the spectral radius that is allowed; from 1 on noise grows without bound


class AutoregressiveNoise(nn.Module):
    """Residuals r_t = A r_{t-1} + s_t ∘ e_t of a path, with e_t ~ N(0, C) independent.

    The first residual is s_1 ∘ e_1 with a covariance of its own. The sizes s_t are given. See
    Lütkepohl (2005), §3.2, for the estimates.

    Args:
        features: D.

    Attributes:
        transition: A (D, D).
        innovation: Cholesky factor of C (D, D).
        start: the same for the first residual.

    >>> noise = AutoregressiveNoise(2)
    >>> path, std = torch.zeros(1, 3, 2), torch.ones(1, 3, 2)
    >>> noise.log_prob(path, std, torch.tensor([[True, True, False]]))
    tensor([-3.6758])
    """

    transition: Tensor
    innovation: Tensor
    start: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("transition", torch.zeros(features, features))
        self.register_buffer("innovation", torch.eye(features))
        self.register_buffer("start", torch.eye(features))

    @torch.no_grad()
    def fit(self, residuals: Tensor, std: Tensor, valid: Tensor) -> None:
        """Least squares and covariances.

        Args:
            residuals: r (B, T, D).
            std: s (B, T, D).
            valid: (B, T), which steps count; the first ones of each row.
        """
        r, s = wide(residuals), wide(std)
        later = valid[:, 1:]
        before, after = r[:, :-1][later], r[:, 1:][later]  # (M, D)
        transition = _regression(before, after)
        innovations = (after - before @ transition.T) / s[:, 1:][later]
        self.transition.copy_(transition)
        if len(innovations):
            self.innovation.copy_(_factor(innovations))
        self.start.copy_(_factor((r / s)[valid]))

    def log_prob(self, residuals: Tensor, std: Tensor, valid: Tensor) -> Tensor:
        """Log-density (B,) of residuals (B, T, D), of the steps that count (B, T)."""
        first = residuals[:, :1] / std[:, :1]
        later = residuals[:, 1:] - residuals[:, :-1] @ self.transition.T
        each = torch.cat(
            [_log_normal(first, self.start), _log_normal(later / std[:, 1:], self.innovation)], 1
        )
        each = each - std.log().sum(-1)
        return torch.where(valid, each, 0).sum(1)

    def marginal_std(self, std: Tensor) -> Tensor:
        """Standard deviations (..., D) of residuals where the sizes are ``std``."""
        return std * self.start.square().sum(1).sqrt()

    def complete(
        self,
        path: Tensor,
        std: Tensor,
        x: Tensor,
        seen: Tensor,
        draw: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Fill in what is hidden step by step: path and residual given what was seen until then.

        What is seen later has its say only through the path.

        Args:
            path: (B, T, D).
            std: (B, T, D).
            x: (B, T, D), hidden values anything finite.
            seen: (B, T, D), True where x is known.
            draw: draw the residuals instead of taking their means.
            generator: source of the draws.
        """
        residual = torch.zeros_like(path[:, 0])
        rows = []
        for t in range(path.shape[1]):
            factor = self.innovation if t else self.start
            expected = residual @ self.transition.T
            known = (x[:, t] - path[:, t] - expected) / std[:, t]
            noise = _given(factor, known, seen[:, t], draw, generator)
            residual = expected + std[:, t] * noise
            rows.append(torch.where(seen[:, t], x[:, t], path[:, t] + residual))
        return torch.stack(rows, 1)


def _regression(before: Tensor, after: Tensor) -> Tensor:
    """The matrix (D, D) that takes rows (M, D) to the next ones best, made stable if it is not."""
    size = before.shape[1]
    if not len(before):
        return before.new_zeros(size, size)
    products = before.T @ before
    ridge = _RIDGE * products.trace() / size + torch.finfo(before.dtype).tiny
    identity = torch.eye(size, dtype=before.dtype, device=before.device)
    transition = torch.linalg.solve(products + ridge * identity, before.T @ after).T
    radius = torch.linalg.eigvals(transition).abs().max()
    stable: Tensor = transition * (_LONGEST_MEMORY / radius).clamp(max=1)
    return stable


def _factor(rows: Tensor) -> Tensor:
    """Cholesky factor of the second moments of rows (M, D), with a least variance."""
    identity = torch.eye(rows.shape[1], dtype=rows.dtype, device=rows.device)
    factor: Tensor = torch.linalg.cholesky(rows.T @ rows / len(rows) + _LEAST_VARIANCE * identity)
    return factor


def _log_normal(e: Tensor, factor: Tensor) -> Tensor:
    """log N(e; 0, LLᵀ) (...) of rows (..., D)."""
    rows = e.flatten(0, -2)
    white: Tensor = torch.linalg.solve_triangular(factor, rows.T, upper=False).T.view_as(e)
    constant = e.shape[-1] * math.log(2 * math.pi) / 2 + factor.diagonal().log().sum()
    return -white.square().sum(-1) / 2 - constant


def _given(
    factor: Tensor, e: Tensor, seen: Tensor, draw: bool, generator: torch.Generator | None
) -> Tensor:
    """Rows (B, D) of N(0, LLᵀ) given some of their values: means, or draws by Matheron's rule."""
    base = torch.zeros_like(e)
    if draw:
        noise = torch.randn(e.shape, generator=generator, dtype=e.dtype, device=e.device)
        base = noise @ factor.T
    some = (seen.any(1) & ~seen.all(1)).nonzero()[:, 0]
    whole = torch.where(seen, e, base)
    if not len(some):
        return whole
    m = wide(seen[some].to(e))  # (M, D)
    covariance = wide(factor) @ wide(factor).T
    block = covariance * (m[:, :, None] * m[:, None]) + torch.diag_embed(1 - m)
    gap = (wide((e - base)[some]) * m)[..., None]
    shift = covariance @ (m[..., None] * torch.cholesky_solve(gap, torch.linalg.cholesky(block)))
    hidden = base[some] + shift[..., 0].to(e)
    return whole.index_copy(0, some, torch.where(seen[some], e[some], hidden))
