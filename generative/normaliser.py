"""Running mean and variance of vectors, and normalisation by them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_CONSTANT = 1e-6  # a standard deviation below this times max(1, |mean|) is rounding, not data


class RunningNorm(nn.Module):
    """Normalises vectors (..., D) by the mean and variance of everything it was updated with.

    The statistics are buffers, so they are saved with the module and move with it, and they
    change only in :meth:`update`. Before the first update vectors pass unchanged (but clipped).
    Nothing here waits for the device. A stream of scalars is the case D = 1.

    A dimension that has never varied is mapped to 0. To divide by its deviation would be NaN, by
    sqrt(eps) would turn rounding noise into inputs at the clip, and by 1 would let a value through
    in raw units of any size, into weights that never saw one. Zero is what the dimension read all
    along; from the next update after it has varied, it counts like any other. "Never varied" is a
    standard deviation below 1e-6 max(1, |mean|), about ten times the rounding of float32.

    Attributes:
        mean: (D,) float32.
        var: (D,) float32, biased (divided by the count), 1 before the first update.
        count: () int64, rows seen.

    >>> norm = RunningNorm(2)
    >>> norm.update(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    >>> norm(torch.tensor([4.0, 6.0]))
    tensor([2., 0.])
    """

    mean: Tensor
    var: Tensor
    count: Tensor

    def __init__(self, features: int, clip: float = 10.0, eps: float = 1e-8) -> None:
        """Start without data.

        Args:
            features: D.
            clip: normalised values are kept in [-clip, clip]; ``math.inf`` for no clipping.
            eps: added to the variance, in squared units of the data.

        Raises:
            ValueError: if an argument is not positive.
        """
        super().__init__()
        for name, value in (("features", features), ("clip", clip), ("eps", eps)):
            if not value > 0:
                raise ValueError(f"RunningNorm was given {name}={value}; it must be positive.")
        self.clip = clip
        self.eps = eps
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def std(self) -> Tensor:
        """Standard deviation (D,), sqrt(var + eps): never 0, and 1 before the first update."""
        return (self.var + self.eps).sqrt()

    @property
    def scale(self) -> Tensor:
        """What deviations from the mean are multiplied by (D,): 1 / std, 0 where constant."""
        return torch.where(self._varies(), 1 / self.std, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (..., D): the deviation from the mean over ``std``, clipped."""
        return (x - self.mean).mul_(self.scale).clamp_(-self.clip, self.clip)

    def inverse(self, y: Tensor) -> Tensor:
        """Undo :meth:`forward` where it did not clip; constant dimensions give their mean."""
        return y * torch.where(self._varies(), self.std, 0.0) + self.mean

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Add vectors to the statistics, as if all had come at once (Chan et al. 1983, eq. 2.1).

        Args:
            x: vectors (..., D), at least one.

        Raises:
            ValueError: if there is no row or the width is not D.
        """
        if x.dim() == 0 or x.shape[-1] != len(self.mean) or x.numel() == 0:
            raise ValueError(
                f"RunningNorm was updated with a tensor of shape {tuple(x.shape)}; "
                f"expected at least one row of width {len(self.mean)}."
            )
        rows = x.reshape(-1, len(self.mean)).to(_widest(x.device))
        new_var, new_mean = torch.var_mean(rows, dim=0, correction=0)
        total = self.count + len(rows)
        new = len(rows) / total.to(rows.dtype)  # the weight of the new rows
        shift = new_mean - self.mean
        self.var.copy_((1 - new) * self.var + new * new_var + new * (1 - new) * shift.square())
        self.mean.add_(new * shift)
        self.count.copy_(total)

    def extra_repr(self) -> str:
        """The arguments, for ``repr``."""
        return f"{len(self.mean)}, clip={self.clip}, eps={self.eps}"

    def _varies(self) -> Tensor:
        """Which dimensions (D,) have varied."""
        return self.var.sqrt() > _CONSTANT * self.mean.abs().clamp(min=1)


def _widest(device: torch.device) -> torch.dtype:
    """The widest float that a device computes with; Apple's and some others stop at 32 bits."""
    return torch.float64 if device.type in ("cpu", "cuda") else torch.float32
