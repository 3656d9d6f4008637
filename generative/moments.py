"""Sufficient statistics of a mixture: what an E-step leaves behind of the data."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generative.data import wide
from generative.gaussians import Covariance, Gaussians, chunks, log_joint, whiteners_of


@dataclass
class Moments:
    """Weighted counts, first and second moments of rows about a centre for each component.

    About the present means, second moments do not cancel when the means are moved on, so that
    the products may be taken in float32; the sums over chunks are kept in float64.

    Attributes:
        centres: (K, D), in the precision of the data.
        kind: which second moments are taken.
        count: (K,).
        first: (K, D).
        second: (K, D, D) if full, (D, D) if tied, else (K, D).
    """

    centres: Tensor
    kind: Covariance
    count: Tensor
    first: Tensor
    second: Tensor

    @classmethod
    def zero(cls, centres: Tensor, kind: Covariance) -> Moments:
        """Those of no data."""
        k, d = centres.shape
        shape = {"full": (k, d, d), "tied": (d, d)}.get(kind, (k, d))
        none = wide(centres.new_zeros(1))
        return cls(
            centres, kind, none.expand(k).clone(), none.new_zeros(k, d), none.new_zeros(shape)
        )

    def add(self, x: Tensor, shares: Tensor) -> None:
        """Add rows (B, D), each to component k by its share (B, K)."""
        self.count += wide(shares).sum(0)
        for k, centre in enumerate(self.centres):
            rows, share, about = _that_count(x, shares[:, k], centre)
            for part in chunks(rows):
                root = share[part].sqrt()
                self._add_scaled(k, (rows[part] - about) * root[:, None], root)

    def _add_scaled(self, k: int, scaled: Tensor, root: Tensor) -> None:
        """Add gaps to a centre, scaled by the roots of their shares."""
        self.first[k] += root @ scaled
        match self.kind:
            case "full":
                self.second[k] += scaled.mT @ scaled
            case "tied":
                self.second += scaled.mT @ scaled
            case _:
                self.second[k] += scaled.square().sum(0)

    def fit(self, regularisation: float) -> tuple[Tensor, Tensor, Tensor]:
        """Counts (K,), means (K, D) and covariances that fit best, in float64.

        A component without rows stays where it is, with the regularisation as its covariance.
        """
        count = self.count + 10 * torch.finfo(self.count.dtype).eps
        shift = self.first / count[:, None]
        means = wide(self.centres) + shift
        match self.kind:
            case "full":
                covariances = self.second / count[:, None, None] - _outer(shift)
                covariances.diagonal(dim1=-2, dim2=-1).add_(regularisation)
            case "tied":
                total = self.second - (count[:, None, None] * _outer(shift)).sum(0)
                covariances = total / count.sum()
                covariances.diagonal().add_(regularisation)
            case "diagonal":
                covariances = self.second / count[:, None] - shift.square() + regularisation
            case "spherical":
                per_dimension = self.second / count[:, None] - shift.square()
                covariances = per_dimension.mean(1) + regularisation
        return count, means, covariances

    def maximise(self, regularisation: float) -> Gaussians:
        """The mixture that these statistics make most likely (Bishop 2006, eqs. 9.24-9.26).

        Raises:
            ValueError: if a covariance is singular.
        """
        count, means, covariances = self.fit(regularisation)
        whiteners = whiteners_of(covariances, self.kind, regularisation)
        weights = count / count.sum()
        as_data = self.centres
        return Gaussians(weights.to(as_data), means.to(as_data), whiteners.to(as_data), self.kind)


def expect(x: Tensor, weights: Tensor, mixture: Gaussians) -> tuple[Moments, float]:
    """The E-step over all rows, in chunks.

    Args:
        x: rows (B, D).
        weights: of the rows (B,).
        mixture: the present parameters.

    Returns:
        The statistics, and the weighted sum of log-likelihoods.
    """
    moments = Moments.zero(mixture.means, mixture.kind)
    total = moments.count.new_zeros(())
    for part in chunks(x, times=16):  # the more rows, the more each component has of them
        joint = log_joint(mixture, x[part])
        evidence = joint.logsumexp(1, keepdim=True)
        total += (wide(evidence[:, 0]) * weights[part]).sum()
        moments.add(x[part], (joint - evidence).exp() * weights[part, None])
    return moments, float(total)


def _that_count(x: Tensor, share: Tensor, centre: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows and shares without those too small to change any sum.

    In many dimensions nearly every row belongs to one component alone, so this saves most of the
    products. The few that are left are taken in float64: a component of fewer rows than dimensions
    has no variance in some directions but the regularisation, which float32 would drown.
    """
    matters = (share > torch.finfo(share.dtype).eps ** 2 * share.max()).nonzero()[:, 0]
    if 4 * len(matters) > len(x):
        return x, share, centre
    return wide(x[matters]), wide(share[matters]), wide(centre)


def _outer(vectors: Tensor) -> Tensor:
    return vectors[:, :, None] * vectors[:, None, :]
