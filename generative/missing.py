"""Gaussians seen through holes: exact conditionals of what is hidden given what is observed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from generative.data import wide
from generative.gaussians import Gaussians
from generative.moments import Moments


@dataclass(frozen=True)
class Conditional:
    """Each component given the observed dimensions of rows that share them.

    Attributes:
        log_joint: log of weight times marginal density of what is observed (B, K).
        means: of all dimensions given the observed ones (K, B, D); those come out as they are.
        covariances: (K, D, D), zero in rows and columns of observed dimensions.
    """

    log_joint: Tensor
    means: Tensor
    covariances: Tensor

    def shares(self) -> Tensor:
        """Probabilities of the components given what is observed (B, K)."""
        return self.log_joint.softmax(1)


def given(mixture: Gaussians, covariances: Tensor, x: Tensor, observed: Tensor) -> Conditional:
    """Condition on some dimensions (Bishop 2006, eqs. 2.81-2.82).

    Hidden dimensions get the identity in the matrix that is inverted and zeros beside it, which
    leaves the observed block's inverse and determinant and needs no ragged indices.

    Args:
        mixture: in float64.
        covariances: its covariances (K, D, D).
        x: rows (B, D) in float64; hidden values are not looked at but must be finite.
        observed: (D,), True where a dimension is observed in all these rows.
    """
    seen = observed.to(x)
    block = covariances * (seen[:, None] * seen) + torch.diag(1 - seen)
    factors = torch.linalg.cholesky(block)
    gap = (x - mixture.means[:, None]) * seen  # (K, B, D)
    z = torch.linalg.solve_triangular(factors, gap.mT, upper=False)
    log_det = factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    constant = float(seen.sum()) / 2 * math.log(2 * math.pi)
    log_density = -z.square().sum(1) / 2 - log_det[:, None] - constant
    cross = covariances * seen  # (K, D, D): columns of what is observed
    gain = torch.cholesky_solve(cross.mT, factors).mT
    means = mixture.means[:, None] + gap @ gain.mT
    hidden = 1 - seen
    left = (covariances - gain @ cross.mT) * (hidden[:, None] * hidden)
    return Conditional(
        log_density.mT + mixture.weights.log(), torch.where(observed, x, means), left
    )


def patterns(mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each different row (D,) of a mask (B, D), with the indices of the rows that have it."""
    kinds, which = torch.unique(mask, dim=0, return_inverse=True)
    order = which.argsort(stable=True)
    sizes = which.bincount(minlength=len(kinds)).tolist()
    yield from zip(kinds, order.split(sizes), strict=True)


def expect_missing(
    x: Tensor, mask: Tensor, weights: Tensor, mixture: Gaussians
) -> tuple[Moments, float]:
    """The E-step where values are missing at random (Ghahramani & Jordan 1994, §3).

    Args:
        x: rows (B, D), finite also where hidden.
        mask: True where observed (B, D).
        weights: of the rows (B,).
        mixture: the present parameters.

    Returns:
        The statistics, and the weighted sum of log-likelihoods of what is observed.
    """
    exact = mixture.wide()
    covariances = exact.covariances()
    moments = Moments.zero(exact.means, mixture.kind)
    total = 0.0
    for observed, index in patterns(mask):
        known = given(exact, covariances, wide(x[index]), observed)
        weight = wide(weights[index])
        total += float(known.log_joint.logsumexp(1) @ weight)
        shares = known.shares() * weight[:, None]
        add_completed(moments, known, shares)
    moments.centres = mixture.means
    return moments, total


def add_completed(moments: Moments, known: Conditional, shares: Tensor) -> None:
    """Add rows whose hidden part is known up to a Gaussian for each component."""
    gap = known.means - moments.centres[:, None]
    share = shares.mT[:, :, None]
    count = shares.sum(0)
    moments.count += count
    moments.first += (share * gap).sum(1)
    match moments.kind:
        case "full" | "tied":
            second = (share * gap).mT @ gap + count[:, None, None] * known.covariances
            moments.second += second if moments.kind == "full" else second.sum(0)
        case _:
            variances = known.covariances.diagonal(dim1=-2, dim2=-1)
            moments.second += (share * gap.square()).sum(1) + count[:, None] * variances


def complete(
    mixture: Gaussians,
    x: Tensor,
    mask: Tensor,
    draw: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Rows (B, D) with what the mask hides replaced by its conditional mean, or drawn."""
    exact = mixture.wide()
    covariances = exact.covariances()
    whole = wide(x).clone()
    for observed, index in patterns(mask):
        known = given(exact, covariances, whole[index], observed)
        if draw:
            whole[index] = _draw(known, observed, generator)
        else:
            whole[index] = torch.einsum("bk,kbd->bd", known.shares(), known.means)
    return torch.where(mask, x, whole.to(x))


def _draw(known: Conditional, observed: Tensor, generator: torch.Generator | None) -> Tensor:
    """One completion (B, D) of each row: a component first, then its Gaussian."""
    shares = known.shares()
    choice = torch.multinomial(shares, 1, generator=generator)[:, 0]
    means = known.means[choice, torch.arange(len(choice), device=choice.device)]
    values, vectors = torch.linalg.eigh(known.covariances)  # semidefinite: no Cholesky factor
    roots = vectors * values.clamp(min=0).sqrt()[:, None, :]
    noise = torch.randn(means.shape, generator=generator, dtype=means.dtype, device=means.device)
    moved = means.clone()
    for k in range(shares.shape[1]):
        here = choice == k
        moved[here] = means[here] + noise[here] @ roots[k].mT
    return torch.where(observed, means, moved)


def hidden_part(mixture: Gaussians, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, means and covariances of the hidden dimensions of one row (1, D)."""
    exact = mixture.wide()
    known = given(exact, exact.covariances(), wide(x), observed)
    hidden = ~observed
    means = known.means[:, 0, hidden]
    covariances = known.covariances[:, hidden][:, :, hidden]
    return known.shares()[0].to(x), means.to(x), covariances.to(x)
