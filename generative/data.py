"""What every model asks of its data, told in one sentence before any work starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Data = Tensor | NDArray[Any]

_KINDS = {2: ("vectors", "D"), 3: ("sequences", "TD"), 4: ("images", "CHW")}  # by dimensions
_AXES = {3: ("row", "step", "column"), 4: ("row", "channel", "line", "column")}


def rows(
    x: Data,
    *,
    name: str = "x",
    features: int | None = None,
    like: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Vectors (B, D) as a floating tensor, checked.

    Args:
        x: a tensor or array (B, D). What is neither float32 nor float64 becomes the default
            float.
        name: what the sentences call it.
        features: the D that is expected, if it is known.
        like: take device and precision from this tensor.
        mask: (B, D), True where a value is observed; values elsewhere are not looked at and
            become 0.

    Raises:
        ValueError: if the shape is wrong or a value that counts is not finite; the sentence
            names its row and column.

    >>> import numpy as np
    >>> rows(np.array([[1, 2], [3, 4]]))
    tensor([[1., 2.],
            [3., 4.]])
    >>> rows(torch.tensor([[1.0, 2.0], [3.0, float("nan")]]))
    Traceback (most recent call last):
    ValueError: x is nan at row 1, column 1 (1 value of 4 is not finite); remove such rows, or ...
    """
    x = as_tensor(x, name)
    if x.dim() != 2 or 0 in x.shape or (features is not None and x.shape[1] != features):
        width = "D" if features is None else str(features)
        raise ValueError(
            f"{name} has the shape {tuple(x.shape)}; expected vectors in rows, (B, {width})."
        )
    if x.dtype not in (torch.float32, torch.float64):  # halves are too coarse to sum in
        x = x.to(torch.get_default_dtype())
    if like is not None:
        x = x.to(like)
    if mask is not None:
        x = torch.where(mask.to(x.device), x, 0.0)
    check_finite(x, name)
    return x


def observations(
    x: Data,
    *,
    name: str = "x",
    shape: Sequence[int | None] | None = None,
    lengths: Data | Sequence[int] | None = None,
) -> Tensor:
    """Rows of any shape, checked, in their own type (images are often bytes).

    Args:
        x: vectors (B, D), images (B, C, H, W) or sequences (B, T, D).
        name: what the sentences call it.
        shape: of a row, if it is known; None in it for any size.
        lengths: (B,), how many of the T steps of a sequence count; steps beyond are not looked
            at and become 0.

    Raises:
        ValueError: if the shape is wrong, or a value that counts is not finite.

    >>> observations(torch.zeros(5, 28, 28, 1), shape=(1, 28, 28))
    Traceback (most recent call last):
    ValueError: x has the shape (5, 28, 28, 1); expected images (B, 1, 28, 28).
    """
    x = as_tensor(x, name)
    check_shape(x, shape, name)
    if lengths is not None:
        counts = check_lengths(lengths, x).to(x.device)
        x = torch.where(within(counts, x.shape[1])[..., None], x, 0)
    check_finite(x, name)
    return x


def check_shape(x: Tensor, shape: Sequence[int | None] | None, name: str = "x") -> None:
    """Refuse rows of another shape than (B, *shape).

    Raises:
        ValueError: naming both.
    """
    if shape is None:
        fits = x.dim() in _KINDS
        expected = "vectors (B, D), sequences (B, T, D) or images (B, C, H, W)"
    else:
        kind, letters = _KINDS[len(shape) + 1]
        sizes = [
            letter if size is None else size for letter, size in zip(letters, shape, strict=True)
        ]
        wanted = zip(x.shape[1:], shape, strict=False)
        fits = x.dim() == len(shape) + 1 and all(size in (None, found) for found, size in wanted)
        expected = f"{kind} (B, {', '.join(map(str, sizes))})"
    if not fits or 0 in x.shape:
        raise ValueError(f"{name} has the shape {tuple(x.shape)}; expected {expected}.")


def check_lengths(lengths: Data | Sequence[int], x: Tensor) -> Tensor:
    """How many steps of each sequence count (B,), as int64.

    Args:
        lengths: whole numbers (B,) from 1 to T.
        x: the sequences (B, T, D).

    Raises:
        ValueError: if they are anything else.
    """
    given = as_tensor(lengths, "lengths")
    if x.dim() != 3 or given.shape != (len(x),) or given.dtype.is_floating_point:
        raise ValueError(
            f"lengths has the shape {tuple(given.shape)} ({given.dtype}) and x {tuple(x.shape)}; "
            "expected whole numbers (B,) beside sequences (B, T, D)."
        )
    wrong = ((given < 1) | (given > x.shape[1])).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(
            f"lengths is {int(given[row])} at row {row}; expected 1 to {x.shape[1]}, the number "
            "of steps in x."
        )
    return given.long()


def within(lengths: Tensor, steps: int) -> Tensor:
    """Which steps (B, T) of sequences count.

    >>> within(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def as_tensor(x: Data | Sequence[int], name: str = "x") -> Tensor:
    """A tensor of the same numbers, without a copy where memory can be shared.

    Raises:
        ValueError: if these are no real numbers.
    """
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "fiub":
            raise ValueError(f"{name} holds {x.dtype}; expected real numbers.")
        if not x.flags.writeable or min(x.strides, default=0) < 0:
            x = x.copy()  # torch shares neither of these
    return torch.as_tensor(x)


def check_finite(x: Tensor, name: str = "x") -> None:
    """Refuse values that are not finite.

    Raises:
        ValueError: naming the place of the first one: row and column, or what the shape has.
    """
    finite = x.isfinite()
    if finite.all():
        return
    wrong = (~finite).nonzero()
    axes = _AXES.get(x.dim(), ("row", "column"))
    place = ", ".join(f"{axis} {int(i)}" for axis, i in zip(axes, wrong[0], strict=True))
    value = x[tuple(wrong[0])].item()
    verb = "value" if len(wrong) == 1 else "values"
    is_ = "is" if len(wrong) == 1 else "are"
    raise ValueError(
        f"{name} is {value} at {place} ({len(wrong)} {verb} of {x.numel()} {is_} not finite); "
        "remove such rows, or mask the values as missing where the model allows it."
    )


def check_mask(mask: Data, x: Data) -> Tensor:
    """A mask of observed values, True where a value is known, on the CPU or wherever it lies.

    Args:
        mask: booleans of the shape of ``x``.
        x: the data (B, D).

    Raises:
        ValueError: if the mask is not boolean, has another shape, or a row has nothing observed.
    """
    mask = as_tensor(mask, "The mask")
    if mask.dtype != torch.bool:
        raise ValueError(
            f"The mask holds {mask.dtype}; expected booleans, True where a value is observed."
        )
    if tuple(mask.shape) != tuple(x.shape):
        raise ValueError(
            f"The mask has the shape {tuple(mask.shape)} and the data {tuple(x.shape)}; "
            "give one boolean for each value."
        )
    empty = (~mask.any(-1)).nonzero()
    if len(empty):
        raise ValueError(
            f"Row {int(empty[0])} has no observed value ({len(empty)} such rows); leave them out."
        )
    return mask


def check_weights(weights: Data | None, x: Tensor) -> Tensor:
    """One weight (B,) for each row, ones if none are given.

    Raises:
        ValueError: if a weight is negative or not finite, all are 0, or the shape is wrong.
    """
    if weights is None:
        return x.new_ones(len(x))
    weights = as_tensor(weights, "The array of sample weights").to(x)
    if weights.shape != (len(x),):
        raise ValueError(
            f"The sample weights have the shape {tuple(weights.shape)}; expected ({len(x)},), "
            "one for each row."
        )
    if not (weights.isfinite().all() and (weights >= 0).all() and weights.sum() > 0):
        raise ValueError(
            "The sample weights must be finite and at least 0, and not all 0; "
            f"the smallest is {weights.min().item():g}, the sum {weights.sum().item():g}."
        )
    return weights


def check_positive(owner: str, **values: float | None) -> None:
    """Refuse settings that are not positive.

    Raises:
        ValueError: naming the owner and the setting.
    """
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{owner} was given {name}={value}; it must be positive.")


def wide(x: Tensor) -> Tensor:
    """The same in the widest float of the device; Apple's and some others stop at 32 bits."""
    return x.double() if x.device.type in ("cpu", "cuda") else x.float()
