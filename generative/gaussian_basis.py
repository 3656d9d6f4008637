"""The Gaussian part of diffusion: what of a denoiser is known before it learns."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from generative.data import wide
from generative.model import Stateful

_JOINT = 2048  # numbers of a window, up to which all axes are held in one matrix
_LEAST = 1e-8  # of a variance, as a part of the largest: what does not vary must not divide


class GaussianBasis(Stateful):
    """Axes in which windows are nearly uncorrelated, and the variance along each.

    For vectors (T = 1) the axes are the principal ones. Those of windows would take more of them
    than there are; products of one axis of time and one of features, the principal ones of each,
    are always known well, but miss how dimensions move together in time. So where windows are not
    too large, the widest principal axes (one in 16) are joined by the products in what those leave.

    Had the data a normal distribution with these variances, E[x | x + τ ε] would be known: along
    an axis of variance s it is s / (s + τ²) of what is seen. A net learns the difference, at a
    scale that fits each axis, as Karras et al. (2022, table 1) do with one variance for all.

    Attributes:
        mean: (T, D).
        std: of each value (T, D).
        variances: along the axes (T, D).
        scale: root mean square of the standard deviations.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = 3 * torch.randn(4000, 2, 5, generator=g)
    >>> basis = GaussianBasis().fit(x)
    >>> guess = basis.estimate(x[:1] + 4.0, torch.tensor([[[4.0]]]), torch.zeros(1, 2, 5))
    >>> torch.allclose(guess, 9 / 25 * (x[:1] + 4), atol=0.3), basis.scale
    (True, tensor(3.0...))
    """

    mean: Tensor
    std: Tensor
    variances: Tensor
    scale: Tensor
    times: Tensor
    features: Tensor
    joint: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("mean", "std", "variances", "scale", "times", "features", "joint"):
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
        along = (times.mT @ centred @ features).square().mean(0)  # (T, D)
        if 1 < len(times) <= along.numel() <= _JOINT:
            joint, along = joined(centred, torch.kron(times, features), along)
            self.joint = joint.to(x)
        self.mean, self.std = mean.to(x), variance.clamp(min=_LEAST * variance.max()).sqrt().to(x)
        self.variances = along.clamp(min=least * along.max()).to(x)
        self.scale, self.times = variance.mean().sqrt().to(x), times.to(x)
        self.features = features.to(x)
        return self

    def along(self, x: Tensor) -> Tensor:
        """Coordinates (B, T, D) of differences from the mean."""
        if self.joint.numel():
            return (x.flatten(1) @ self.joint).view_as(x)
        return self.times.mT @ x @ self.features

    def back(self, coordinates: Tensor) -> Tensor:
        """Undo :meth:`along`."""
        if self.joint.numel():
            return (coordinates.flatten(1) @ self.joint.mT).view_as(coordinates)
        return self.times @ coordinates @ self.features.mT

    def white(self, x: Tensor, std: Tensor | float = 0.0) -> Tensor:
        """Rows (B, T, D) with mean 0 and covariance I, turned as little as can be.

        Args:
            x: rows with noise.
            std: of the noise, (B, 1, 1).
        """
        return self.back(self._narrowed(x, std))

    def coloured(self, white: Tensor) -> Tensor:
        """Undo :meth:`white`, of rows without noise."""
        return self.mean + self.back(self.along(white) * self.variances.sqrt())

    def estimate(self, noisy: Tensor, std: Tensor, added: Tensor) -> Tensor:
        """E[x | noisy] (B, T, D): the Gaussian's, and what a net adds.

        Args:
            noisy: x + std · ε (B, T, D).
            std: of the noise (B, 1, 1).
            added: by the net, along the axes and of a size around 1 (B, T, D).
        """
        shrink = (self.variances + std.square()).rsqrt()
        known = self.variances * shrink * self._narrowed(noisy, std)
        return self.mean + self.back(known + self.variances.sqrt() * std * shrink * added)

    def turn(self, std: Tensor, after: Tensor) -> Tensor:
        """By how much the angles atan(std / spread) of the axes fall from one noise to a lower."""
        spread = self.variances.sqrt()
        return torch.atan(std / spread) - torch.atan(after / spread)

    def move(self, noisy: Tensor, std: Tensor, after: Tensor, added: Tensor) -> Tensor:
        """Rows (B, T, D) on their way from one noise to a lower.

        Where data are Gaussian, rows only shrink along the axes. What the net adds is in units of
        the angle, and taken to stay what it is: an exponential integrator, exact in the rest
        (Zhang & Chen 2023, §3).

        Args:
            noisy: x + std · ε (B, T, D).
            std: of the noise, a number.
            after: of the lower one.
            added: by the net, along the axes (B, T, D).
        """
        narrowed = self._narrowed(noisy, std) + self.turn(std, after) * added
        return self.mean + self.back((self.variances + after**2).sqrt() * narrowed)

    def _narrowed(self, x: Tensor, std: Tensor | float) -> Tensor:
        """Coordinates of variance 1 (B, T, D) of rows with noise."""
        return self.along(x - self.mean) * (self.variances + std**2).rsqrt()


def joined(centred: Tensor, products: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
    """Axes of windows: the widest principal ones, and products in what those leave.

    Args:
        centred: windows (N, T, D) around 0.
        products: axes (W, W) in columns, W = T · D.
        along: variances along them (T, D).

    Returns:
        Axes (W, W), and the variances of the windows along them (T, D).
    """
    rows = centred.flatten(1)
    count = min(rows.shape[1], len(rows)) // 16
    widest = principal(rows)[:, :count]
    rest = products - widest @ (widest.mT @ products)
    within = (rest * along.flatten()) @ rest.mT
    axes = torch.cat([widest, principal_of(within)[:, : rows.shape[1] - count]], 1)
    return axes, (rows @ axes).square().mean(0).view_as(along)


def principal(rows: Tensor) -> Tensor:
    """Orthonormal axes (D, D), in columns, of rows (M, D) around 0; the widest comes first."""
    return principal_of(rows.mT @ rows)


def principal_of(covariance: Tensor) -> Tensor:
    """Its eigenvectors (D, D) in columns, the widest first."""
    axes: Tensor = torch.linalg.eigh(covariance)[1]
    return axes.flip(1).contiguous()
