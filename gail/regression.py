"""What observed values of a Gaussian mixture tell of the others, prepared once for each mask.

E[x_h | x_o] = sum_k r_k(x_o) (m_k,h + S_k,ho (S_k,oo + R)^-1 (x_o - m_k,o)), where r_k are the
components' probabilities given x_o and R the variances of noise on what is observed (Bishop 2006,
eqs. 2.81-2.82; noise only adds to the covariance of x_o). While a mask stays, all but a product of
a matrix and a vector is the same in every step.

Where all components share one covariance, log r_k is linear in x_o, and so is all that remains of
it: a hundred such components cost less than four with covariances of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from generative.data import wide
from generative.gaussians import Gaussians


@dataclass(frozen=True)
class Regression(ABC):
    """Matrices for N rows, each with its own mask; :func:`prepare` makes them.

    Attributes:
        seen: (N, P) numbers of observed values, D where there are fewer than P.
        asked: (N, H) numbers of values to tell, D where there are fewer than H.
        width: D.
    """

    seen: Tensor
    asked: Tensor
    width: int

    @abstractmethod
    def told(self, observed: Tensor) -> Tensor:
        """The mean (N, H) of what is asked for, given what is observed (N, P)."""

    @abstractmethod
    def padded(self, p: int, h: int) -> Self:
        """The same with room for so many observed values and asked ones more."""

    def __call__(self, x: Tensor) -> Tensor:
        """Rows (N, D) with what was asked for replaced; other values may be anything finite."""
        wider = torch.cat([x, x.new_zeros(len(x), 1)], 1)  # (N, D + 1)
        filled = self.told(wider.gather(1, self.seen))
        return wider.scatter(1, self.asked, filled)[:, :-1]

    def some(self, rows: Tensor | slice) -> Self:
        """Those of some rows."""
        return self._each(lambda mine: mine[rows])

    def put(self, rows: Tensor, new: Self) -> Self:
        """The same with some rows replaced by others, which may have other numbers of values."""
        (p, h), (q, i) = self._sizes(), new._sizes()
        old = self.padded(max(q - p, 0), max(i - h, 0))
        new = new.padded(max(p - q, 0), max(h - i, 0))
        parts = iter([getattr(new, each) for each in self._tensors()])
        return old._each(lambda mine: mine.index_copy(0, rows, next(parts)))

    def _sizes(self) -> tuple[int, int]:
        return self.seen.shape[1], self.asked.shape[1]

    def _tensors(self) -> list[str]:
        return [each.name for each in fields(self) if each.name != "width"]

    def _each(self, change: Any) -> Self:
        changed = {name: change(getattr(self, name)) for name in self._tensors()}
        return type(self)(**changed, width=self.width)

    def _wider(self, p: int, h: int) -> dict[str, Any]:
        return {
            "seen": pad(self.seen, (0, p), value=self.width),
            "asked": pad(self.asked, (0, h), value=self.width),
            "width": self.width,
        }


@dataclass(frozen=True)
class OwnCovariances(Regression):
    """Where each component has a covariance of its own.

    Attributes:
        white: (N, K, P, P) what whitens x_o, and ``white_shift`` (N, K, P) what is added.
        gain: (N, K, H, P) of E[x_h | x_o, k], and ``gain_shift`` (N, K, H) what is added.
        offsets: (N, K) logarithms of weight and of the whitener's determinant.
    """

    white: Tensor
    white_shift: Tensor
    gain: Tensor
    gain_shift: Tensor
    offsets: Tensor

    def told(self, observed: Tensor) -> Tensor:
        """See :meth:`Regression.told`."""
        n, k, h, p = self.gain.shape
        column = observed[..., None]
        white = self.white.view(n, k * p, p) @ column
        distance = (white.view(n, k, p) + self.white_shift).square().sum(2)
        means = (self.gain.view(n, k * h, p) @ column).view(n, k, h) + self.gain_shift
        shares = (self.offsets - distance / 2).softmax(1)
        return (shares[:, None] @ means).squeeze(1)

    def padded(self, p: int, h: int) -> Self:
        """See :meth:`Regression.padded`."""
        return type(self)(
            **self._wider(p, h),
            white=pad(self.white, (0, p, 0, p)),
            white_shift=pad(self.white_shift, (0, p)),
            gain=pad(self.gain, (0, p, 0, h)),
            gain_shift=pad(self.gain_shift, (0, h)),
            offsets=self.offsets,
        )


@dataclass(frozen=True)
class OneCovariance(Regression):
    """Where all components share one.

    Attributes:
        matrix: (N, K + H, P): log r_k, then the gain.
        shift: (N, K): what is added to log r_k.
        means: (N, K, H): E[x_h | x_o, k] without the gain's part.
    """

    matrix: Tensor
    shift: Tensor
    means: Tensor

    def told(self, observed: Tensor) -> Tensor:
        """See :meth:`Regression.told`."""
        k = self.shift.shape[1]
        both = (self.matrix @ observed[..., None]).squeeze(-1)
        shares = (both[:, :k] + self.shift).softmax(1)
        return both[:, k:] + (shares[:, None] @ self.means).squeeze(1)

    def padded(self, p: int, h: int) -> Self:
        """See :meth:`Regression.padded`."""
        return type(self)(
            **self._wider(p, h),
            matrix=pad(self.matrix, (0, p, 0, h)),
            shift=self.shift,
            means=pad(self.means, (0, h)),
        )


def prepare(
    mixture: Gaussians, observed: Tensor, ask: Tensor | None = None, noise: Tensor | None = None
) -> Regression:
    """Condition a mixture on masks.

    Args:
        mixture: K components over D dimensions.
        observed: (N, D), True where a value is observed; at least one in each row.
        ask: (N, D), True where a value is to be told; by default what is not observed.
        noise: (D,) standard deviations of noise on observed values; None for none.

    >>> root = torch.linalg.cholesky(torch.tensor([[[1.0, 0.8], [0.8, 1.0]]]))
    >>> joint = Gaussians(torch.ones(1), torch.zeros(1, 2), torch.linalg.inv(root), "full")
    >>> prepare(joint, torch.tensor([[True, False]]))(torch.tensor([[2.0, 0.0]]))
    tensor([[2.0000, 1.6000]])
    """
    exact, like, d = mixture.wide(), mixture.means, observed.shape[1]
    factors = exact.factors()
    factors = factors[None] if mixture.kind == "tied" else factors  # (C, D, D)
    covariances = pad(factors @ factors.mT, (0, 1, 0, 1))  # (C, D + 1, D + 1)
    means = pad(exact.means, (0, 1))  # (K, D + 1)
    seen = numbers(observed)  # (N, P)
    asked = numbers(~observed if ask is None else ask)  # (N, H)
    block = covariances[:, seen[:, :, None], seen[:, None]].transpose(0, 1)  # (N, C, P, P)
    extra = (seen == d).to(block)  # 1 in places of nothing
    if noise is not None:
        extra = extra + pad(wide(noise).square(), (0, 1))[seen]
    factor = torch.linalg.cholesky(block + torch.diag_embed(extra)[:, None])
    identity = torch.eye(seen.shape[1]).to(factor).expand_as(factor)
    white = torch.linalg.solve_triangular(factor, identity, upper=False)  # (N, C, P, P)
    cross = covariances[:, asked[:, :, None], seen[:, None]].transpose(0, 1)  # (N, C, H, P)
    gain = cross @ white.mT @ white
    at, to = (means[:, each].transpose(0, 1) for each in (seen, asked))  # (N, K, P), (N, K, H)
    left = to - _each(gain, at)  # (N, K, H)
    shift = -_each(white, at)  # (N, K, P)
    if mixture.kind == "tied":
        linear = -(shift @ white.squeeze(1))  # (N, K, P): m_k' S^-1
        offsets = exact.weights.log() - shift.square().sum(2) / 2
        both = torch.cat([linear, gain.squeeze(1)], 1)
        tensors = (both, offsets, left)
        return OneCovariance(seen, asked, d, *(each.to(like).contiguous() for each in tensors))
    offsets = exact.weights.log() + white.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    parts = (white, shift, gain, left, offsets)
    return OwnCovariances(seen, asked, d, *(each.to(like).contiguous() for each in parts))


def _each(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Products (N, K, R) of matrices (N, K or 1, R, P) and vectors (N, K, P), without copies."""
    if matrices.shape[1] == 1:
        return vectors @ matrices[:, 0].mT
    return (matrices @ vectors[..., None]).squeeze(-1)


def numbers(mask: Tensor) -> Tensor:
    """The numbers of what is True in each row of a mask (N, D), padded with D.

    >>> numbers(torch.tensor([[True, False, True], [False, True, False]]))
    tensor([[0, 2],
            [1, 3]])
    """
    d = mask.shape[1]
    most = max(1, int(mask.sum(1).max()))
    places = torch.where(mask, torch.arange(d, device=mask.device), d)
    return places.sort(1).values[:, :most]
