"""The Gaussian part of diffusion: what of a denoiser is known before it learns."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from generative.data import wide
from generative.model import Stateful

_JOINT = 2048  # numbers of a window, up to which its widest axes are taken together
_WIDEST = 16  # of so many axes one is
_LEAST = 1e-8  # of a variance, as a part of the largest: what does not vary must not divide


class Level(NamedTuple):
    """What noise of one size does to rows, along each axis.

    Attributes:
        std: of the noise (B, 1, 1), or (1, 1, 1) for all rows.
        narrowing: what brings noisy rows to variance 1 (B, T, D).
        share: how much of them is data, the correlation of the two (B, T, D).
    """

    std: Tensor
    narrowing: Tensor
    share: Tensor


class GaussianBasis(Stateful):
    """Axes in which windows are nearly uncorrelated, and the variance along each.

    For vectors (T = 1) the axes are the principal ones. Those of windows would take more of them
    than there are; products of one axis of time and one of features, the principal ones of each,
    are always known well, but miss how dimensions move together in time. So where windows are not
    too large, the products are turned so that the widest (one in 16) become the widest principal
    axes. The turn is a block reflection: a few thin products of matrices instead of a full one.

    Had the data a normal distribution with these variances, E[x | x + τ ε] would be known: along
    an axis of variance s it is s / (s + τ²) of what is seen. A net adds the difference, at a
    scale that fits each axis, as Karras et al. (2022, table 1) do with one variance for all.

    Attributes:
        mean: (T, D).
        std: of each value (T, D).
        variances: along the axes (T, D).
        scale: root mean square of the standard deviations.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = 3 * torch.randn(4000, 2, 5, generator=g)
    >>> basis = GaussianBasis().fit(x)
    >>> noise = basis.level(torch.tensor(4.0))
    >>> guess = basis.guess(basis.narrowed(x[:1] + 4, noise), noise)
    >>> torch.allclose(basis.rows(guess), 9 / 25 * (x[:1] + 4), atol=0.3), basis.scale
    (True, tensor(3.0...))
    """

    mean: Tensor
    std: Tensor
    variances: Tensor
    scale: Tensor
    times: Tensor
    features: Tensor
    whitening: Tensor
    between: Tensor
    turned: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in GaussianBasis.__annotations__:
            self.new_buffer(name)

    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def fit(self, x: Tensor, least: float = _LEAST) -> Self:
        """Take the axes of windows (N, T, D).

        Args:
            x: the windows.
            least: variance along an axis, as a part of the largest.

        Raises:
            ValueError: if nothing varies.
        """
        data = wide(x)
        mean = data.mean(0)
        centred = data - mean
        variance = centred.square().mean(0)
        if not variance.max() > 0:
            raise ValueError(f"Nothing varies over the {len(x)} rows; give rows that differ.")
        times = principal(centred.flatten(2).transpose(1, 2).flatten(0, 1))
        features = principal(centred.flatten(0, 1))
        self.times, self.features = times.to(x), features.to(x)
        self.between = self.turned = x.new_empty(0)
        along = (times.mT @ centred @ features).square().mean(0)  # (T, D)
        if 1 < len(times) <= along.numel() <= _JOINT:
            between, turned = reflection(*self._widest(centred.to(x), along))
            self.between, self.turned = between.to(x), turned.to(x)
            along = self.along(centred.to(x)).double().square().mean(0)
        self.mean, self.std = mean.to(x), variance.clamp(min=_LEAST * variance.max()).sqrt().to(x)
        self.variances = along.clamp(min=least * along.max()).to(x)
        self.scale = variance.mean().sqrt().to(x)
        if len(times) == 1:
            self.whitening = self.features * self.variances[0].rsqrt() @ self.features.mT
        return self

    def _widest(self, centred: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """Which products are the widest (r,), and the widest principal axes (T·D, r) along them."""
        rows = self.along(centred).flatten(1)
        count = min(rows.shape[1], len(rows)) // _WIDEST
        axes = principal(rows).double()[:, :count]
        return along.flatten().argsort(descending=True)[:count], axes

    def along(self, x: Tensor) -> Tensor:
        """Coordinates (B, T, D) of differences from the mean."""
        products = self.times.mT @ x @ self.features
        return self._reflected(products, self.turned) if self.between.numel() else products

    def back(self, coordinates: Tensor) -> Tensor:
        """Undo :meth:`along`."""
        if self.between.numel():
            coordinates = self._reflected(coordinates, self.turned.mT)
        return self.times @ coordinates @ self.features.mT

    def _reflected(self, rows: Tensor, turned: Tensor) -> Tensor:
        flat = rows.flatten(1)
        return (flat - flat @ self.between @ turned @ self.between.mT).view_as(rows)

    def white(self, x: Tensor) -> Tensor:
        """Rows (B, T, D) with mean 0 and covariance I, turned as little as can be."""
        if self.whitening.numel():  # of vectors, in one product
            return (x - self.mean) @ self.whitening
        return self.back(self.along(x - self.mean) * self.variances.rsqrt())

    def coloured(self, white: Tensor) -> Tensor:
        """Undo :meth:`white`, of rows without noise."""
        return self.rows(self.along(white) * self.variances.sqrt())

    def rows(self, coordinates: Tensor) -> Tensor:
        """Rows (B, T, D) that lie there."""
        return self.mean + self.back(coordinates)

    def level(self, std: Tensor) -> Level:
        """What noise of these standard deviations does, (B,) or one for all."""
        std = std.view(-1, 1, 1)
        narrowing = (self.variances + std**2).rsqrt()
        return Level(std, narrowing, self.variances.sqrt() * narrowing)

    def narrowed(self, x: Tensor, level: Level) -> Tensor:
        """Coordinates of variance 1 (B, T, D) of noisy rows."""
        return self.along(x - self.mean) * level.narrowing

    def guess(self, narrowed: Tensor, level: Level) -> Tensor:
        """Coordinates (B, T, D) of E[x | noisy] of Gaussian data.

        Args:
            narrowed: coordinates of noisy rows (B, T, D), see :meth:`narrowed`.
            level: of their noise.
        """
        return self.variances.sqrt() * level.share * narrowed

    def estimate(self, narrowed: Tensor, level: Level, added: Tensor) -> Tensor:
        """Coordinates (B, T, D) of E[x | noisy]: the Gaussian's, and what a net adds.

        Args:
            narrowed: as of :meth:`guess`.
            level: of the noise.
            added: by the net, along the axes and of a size around 1 (B, T, D).
        """
        return level.share * (self.variances.sqrt() * narrowed + level.std * added)

    def turn(self, std: Tensor, after: Tensor) -> Tensor:
        """By how much the angles atan(std / spread) of the axes fall from one noise to a lower."""
        spread = self.variances.sqrt()
        return torch.atan(std / spread) - torch.atan(after / spread)

    def move(self, narrowed: Tensor, std: Tensor, after: Tensor, added: Tensor) -> Tensor:
        """Rows (B, T, D) on their way from one noise to a lower.

        Where data are Gaussian, rows only shrink along the axes. What the net adds is in units of
        the angle, and taken to stay what it is: an exponential integrator, exact in the rest
        (Zhang & Chen 2023, §3).

        Args:
            narrowed: as of :meth:`guess`.
            std: of the noise, a number.
            after: of the lower one.
            added: by the net, along the axes (B, T, D).
        """
        turned = narrowed + self.turn(std, after) * added
        return self.rows((self.variances + after**2).sqrt() * turned)


def reflection(index: Tensor, axes: Tensor) -> tuple[Tensor, Tensor]:
    """V and S of an orthogonal matrix I - V S Vᵀ whose columns ``index`` are given.

    The block form of Householder's reflection: with E the columns ``index`` of I and B the axes,
    V = E - B and S = (I - Bᵀ E)⁻¹.

    Args:
        index: different columns (r,).
        axes: orthonormal (W, r); their signs are free, and chosen so that S is tame.

    Returns:
        V (W, r) and S (r, r).

    >>> axes = principal_of(torch.tensor([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]))
    >>> between, turned = reflection(torch.tensor([2]), axes[:, :1])
    >>> matrix = torch.eye(3) - between @ turned @ between.mT
    >>> torch.allclose(matrix @ matrix.mT, torch.eye(3), atol=1e-6), matrix[:, 2].abs()
    (True, tensor([0.7071, 0.7071, 0.0000]))
    """
    columns = torch.arange(len(index), device=axes.device)
    axes = torch.where(axes[index, columns] > 0, -axes, axes)
    between = -axes
    between[index, columns] += 1
    own = torch.eye(len(index), dtype=axes.dtype, device=axes.device)
    return between, torch.linalg.inv(own - axes[index].mT)


def principal(rows: Tensor) -> Tensor:
    """Orthonormal axes (D, D), in columns, of rows (M, D) around 0; the widest comes first."""
    return principal_of(rows.mT @ rows)


def principal_of(covariance: Tensor) -> Tensor:
    """Its eigenvectors (D, D) in columns, the widest first."""
    axes: Tensor = torch.linalg.eigh(covariance)[1]
    return axes.flip(1).contiguous()
