"""Rows with what belongs to them, for models that are trained batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from generative.data import Data, as_tensor, check_finite, check_lengths, observations, within

SPLIT_SEED = 0  # the same rows are held out when a training is continued


class Batch(NamedTuple):
    """Rows and what belongs to them.

    Attributes:
        x: (B, D), (B, C, H, W) or (B, T, D), on the model's device.
        context: (B, C), what a conditional model is given.
        lengths: (B,) int64, how many of the T steps of a sequence count.
    """

    x: Tensor
    context: Tensor | None = None
    lengths: Tensor | None = None

    def at(self, index: Tensor | slice) -> Batch:
        """Some of the rows."""

        def rows(part: Tensor) -> Tensor:
            # A third of the time that part[index] takes for a small batch.
            return part[index] if isinstance(index, slice) else part.index_select(0, index)

        context = None if self.context is None else rows(self.context)
        lengths = None if self.lengths is None else rows(self.lengths)
        return Batch(rows(self.x), context, lengths)


def as_batch(
    x: Data,
    context: Data | None,
    lengths: Data | Sequence[int] | None,
    *,
    like: Tensor,
    shape: Sequence[int | None] | None = None,
) -> Batch:
    """Data on the device of ``like``, with zeros beyond the lengths.

    What is floating point takes the precision of ``like``; whole numbers, such as the bytes of
    images, stay what they are.

    Args:
        x: (B, D), (B, C, H, W) or (B, T, D).
        context: (B, C); takes the precision of ``like``.
        lengths: (B,), for sequences.
        like: a tensor on the device of the model.
        shape: of a row, if it is known; None in it for any size.

    Raises:
        ValueError: if shapes do not fit or a value that counts is not finite.

    >>> as_batch(torch.ones(2, 3, 1), None, [1, 3], like=torch.ones(1)).x[..., 0]
    tensor([[1., 0., 0.],
            [1., 1., 1.]])
    """
    rows = observations(x, lengths=lengths, shape=shape)
    rows = rows.to(like) if rows.is_floating_point() else rows.to(like.device)
    steps = None if lengths is None else check_lengths(lengths, rows).to(like.device)
    if context is None:
        return Batch(rows, None, steps)
    given = as_tensor(context, "context").to(like)
    if given.dim() != 2 or len(given) != len(rows):
        raise ValueError(
            f"context has the shape {tuple(given.shape)}; expected ({len(rows)}, C), a row for "
            "each row of x."
        )
    check_finite(given, "context")
    return Batch(rows, given, steps)


class Conditional(Protocol):
    """A model that can be conditioned on rows of a width, 0 for none."""

    context: int


class Shaped(Protocol):
    """A model of rows of one shape."""

    shape: tuple[int, ...]


def check_rows(model: Shaped, batch: Batch) -> None:
    """Refuse rows, after preprocessing, of another shape than a model's, or of several lengths.

    Raises:
        ValueError: in one sentence.
    """
    name, shape = type(model).__name__, tuple(batch.x.shape[1:])
    if shape != model.shape:
        raise ValueError(
            f"Rows have the shape {shape} after preprocessing and this {name} was made for "
            f"{model.shape}; reshape or cut the data, or make it for their shape."
        )
    if batch.lengths is not None and not (batch.lengths == shape[0]).all():
        raise ValueError(
            f"This {name} was given sequences of {int(batch.lengths.min())} steps among those of "
            f"{shape[0]}; cut windows of one length with cut_windows."
        )


def check_context(model: Conditional, context: Tensor | None, rows: int) -> None:
    """Refuse a context that a model was not made for.

    Raises:
        ValueError: if its width or the number of its rows is wrong.
    """
    expected = (rows, model.context) if model.context else None
    given = None if context is None else tuple(context.shape)
    if given != expected:
        raise ValueError(
            f"This {type(model).__name__} was made for context={model.context} and was given "
            f"{'no context' if given is None else f'a context of the shape {given}'}; "
            f"{f'give one of the shape {expected}' if expected else 'leave it out'}."
        )


def chunks(batch: Batch, rows: int) -> list[Batch]:
    """The rows of a batch in parts of at most so many."""
    return [batch.at(slice(start, start + rows)) for start in range(0, len(batch.x), rows)]


def row_shape(x: Tensor) -> list[int | None]:
    """What rows that belong to the same data must be like: sequences may be of any length.

    >>> row_shape(torch.zeros(9, 50, 3))
    [None, 3]
    """
    return [None if x.dim() == 3 and axis == 1 else size for axis, size in enumerate(x.shape)][1:]


def split(data: Batch, share: float) -> tuple[Batch, Batch]:
    """Rows to train on and rows held out, the same ones every time.

    Raises:
        ValueError: if either would be empty.
    """
    rows = len(data.x)
    held = round(share * rows) if 0 < share < 1 else 0
    if not 0 < held < rows:
        raise ValueError(
            f"validation={share} of {rows} rows leaves none to validate or to train on; "
            "expected a share between 0 and 1."
        )
    fixed = torch.Generator().manual_seed(SPLIT_SEED)
    order = torch.randperm(rows, generator=fixed).to(data.x.device)
    return data.at(order[held:]), data.at(order[:held])


def frames(data: Batch) -> Tensor:
    """What preprocessing is fitted to: rows, or the steps of all sequences that count (M, D)."""
    if data.x.dim() != 3:
        return data.x
    if data.lengths is None:
        return data.x.flatten(0, 1)
    return data.x[within(data.lengths, data.x.shape[1])]
