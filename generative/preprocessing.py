"""Maps between data and what a model sees, each with its log-determinant.

Each is a module with ``fit(x)``, ``y, log_det = transform(x)`` and ``transform.inverse(y)``, where
``log_det`` (B,) is log |det dy/dx|, so that log p(x) = log p(y) + log_det is in the units of the
data. A map that drops directions without variance (:class:`DropConstant`, :class:`Whiten`) gives
the density on what is left: what was dropped held one value, has no density, and is ignored.
"""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor

from generative.data import check_positive, wide
from generative.transform import Transform, constant, moments


class Standardise(Transform):
    """Subtracts the mean and divides by the standard deviation, dimension by dimension.

    >>> x = torch.tensor([[0.0, 10.0], [2.0, 30.0]])
    >>> y, log_det = Standardise().fit(x)(x)
    >>> y, log_det.exp()
    (tensor([[-1., -1.],
            [ 1.,  1.]]), tensor([0.1000, 0.1000]))
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.new_buffer("mean")
        self.new_buffer("std")

    def fit(self, x: Tensor, mask: Tensor | None = None) -> Self:
        """Take mean and standard deviation of what is observed.

        Raises:
            ValueError: if a dimension never varies.
        """
        mean, std = moments(x, mask)
        still = constant(mean, std).nonzero()
        if len(still):
            raise ValueError(
                f"Column {int(still[0])} never varies ({len(still)} such columns); "
                "put DropConstant() before Standardise()."
            )
        self.mean, self.std = mean.to(x), std.to(x)
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Standardised rows."""
        return (x - self.mean) / self.std, -self.std.log().sum().expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Back to the units of the data."""
        return y * self.std + self.mean

    def restrict(self, keep: Tensor) -> Self:
        """The same for some dimensions."""
        part = copy.deepcopy(self)
        part.mean, part.std = self.mean[keep], self.std[keep]
        return part


class DropConstant(Transform):
    """Leaves out dimensions that never vary, and fills their value in on the way back.

    A mixture fitted to constant dimensions reports any density one likes: it grows without bound
    as the regularisation shrinks. Here they have no density and their values are ignored.

    >>> x = torch.tensor([[1.0, 7.0], [2.0, 7.0]])
    >>> drop = DropConstant().fit(x)
    >>> y, _ = drop(x)
    >>> y.tolist(), drop.inverse(y).tolist()
    ([[1.0], [2.0]], [[1.0, 7.0], [2.0, 7.0]])
    """

    values: Tensor
    live: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.new_buffer("values")
        self.new_buffer("live")

    def fit(self, x: Tensor, mask: Tensor | None = None) -> Self:
        """Find the dimensions whose observed values vary.

        Raises:
            ValueError: if none does.
        """
        mean, std = moments(x, mask)
        self.live = ~constant(mean, std)
        self.values = mean.to(x)
        if not self.live.any():
            raise ValueError(
                f"None of the {x.shape[1]} columns varies over the {len(x)} rows; "
                "give data with at least one that does."
            )
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The live dimensions."""
        return x[:, self.live], x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """All dimensions."""
        x = self.values.to(y).expand(len(y), *self.values.shape).clone()
        x[:, self.live] = y
        return x

    def kept(self, mask: Tensor) -> Tensor:
        """The mask of the live dimensions."""
        return mask[..., self.live]

    def restrict(self, keep: Tensor) -> Self:
        """The same for some dimensions."""
        part = copy.deepcopy(self)
        part.values, part.live = self.values[keep], self.live[keep]
        return part


class Whiten(Transform):
    """Rotates to principal components and scales each to variance 1.

    Components whose standard deviation is below ``relative`` times the largest carry only
    rounding and are left out; the density is then that on the subspace which is left, in its own
    orthonormal coordinates.

    Args:
        components: keep at most so many, the largest first.
        relative: the smallest standard deviation that is kept, as a part of the largest.

    >>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) @ torch.rand(2, 3)
    >>> whiten = Whiten().fit(x)
    >>> y, _ = whiten(x)
    >>> y.shape, torch.allclose(whiten.inverse(y), x, atol=1e-5)
    (torch.Size([500, 2]), True)
    """

    mean: Tensor
    std: Tensor
    directions: Tensor
    elementwise = False

    def __init__(self, components: int | None = None, relative: float = 1e-5) -> None:
        super().__init__()
        check_positive("Whiten", components=components, relative=relative)
        self.components = components
        self.relative = relative
        for name in ("mean", "std", "directions"):
            self.new_buffer(name)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"components": self.components, "relative": self.relative}

    def fit(self, x: Tensor, mask: Tensor | None = None) -> Self:
        """Take the principal components.

        Raises:
            ValueError: if values are missing, or nothing varies.
        """
        if mask is not None:
            raise ValueError("Whiten mixes dimensions and needs all values; use Standardise().")
        data = wide(x)
        mean = data.mean(0)
        centred = data - mean
        variances, directions = torch.linalg.eigh(centred.T @ centred / len(x))
        std = variances.clamp(min=0).sqrt().flip(0)
        live = (std > self.relative * std[0]) & ~constant(mean.abs().max(), std)
        count = min(int(live.sum()), self.components or len(std))
        if count == 0:
            raise ValueError(f"Nothing varies over the {len(x)} rows; give rows that differ.")
        self.mean, self.std = mean.to(x), std[:count].to(x)
        self.directions = directions.flip(1)[:, :count].to(x).contiguous()
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Whitened rows (B, kept)."""
        y = (x - self.mean) @ self.directions / self.std
        return y, -self.std.log().sum().expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Back to the units of the data."""
        return (y * self.std) @ self.directions.T + self.mean
