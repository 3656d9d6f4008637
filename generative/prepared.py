"""What goes into a family with nets, and what comes out: checks, device, preprocessing, parts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor

from generative.batches import Batch, as_batch, check_context, chunks
from generative.chain import from_description
from generative.data import Data, as_tensor, check_mask, within
from generative.model import GenerativeModel
from generative.transform import Transform

Lengths = Data | Sequence[int]

_ROWS = 4096  # that go through the nets at once when much is evaluated


class Prepared(GenerativeModel):
    """A family whose nets see data on the model's device and after its preprocessing.

    A family implements :meth:`check`, and has ``"preprocessing": describe(self.preprocessing)``
    among its ``settings()``.

    Attributes:
        preprocessing: fitted to the data of the first ``fit``.
        row_shape: of the rows of the first ``fit``; 0 where any size will do.
        context: C, the width of what the model is conditioned on; 0 for nothing.
    """

    row_shape: Tensor
    context: int = 0

    def __init__(self, preprocessing: Transform | None = None) -> None:
        super().__init__()
        self.preprocessing = Transform() if preprocessing is None else preprocessing
        self.new_buffer("row_shape")

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        return cls(**{**settings, "preprocessing": from_description(settings["preprocessing"])})

    @property
    def _like(self) -> Tensor:
        """A tensor of the device and precision of the nets."""
        return next(self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self._like.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the nets."""
        return self._like.dtype

    @abstractmethod
    def check(self, batch: Batch) -> None:
        """Refuse data that do not fit the model: their shape, range, context or lengths.

        Called on all data, in chunks and after preprocessing, before any work.

        Raises:
            ValueError: in one sentence.
        """

    def as_batch(
        self, x: Data, context: Data | None = None, lengths: Data | Sequence[int] | None = None
    ) -> Batch:
        """Data on the model's device, checked as far as any model can.

        Raises:
            ValueError: if shapes do not fit or a value that counts is not finite.
        """
        shape = [size or None for size in self.row_shape.tolist()] if self.fitted else None
        return as_batch(x, context, lengths, like=self._like, shape=shape)

    def preprocessed(
        self, batch: Batch, generator: torch.Generator | None = None
    ) -> tuple[Batch, Tensor]:
        """What the nets see of data, and log |det dy/dx| (B,).

        The steps of a sequence are preprocessed one by one, those beyond its length become 0.
        """
        x = batch.x if batch.x.is_floating_point() else batch.x.to(self.dtype)
        with exact(x.device):
            y, log_det = self.preprocessing(x.flatten(0, 1) if x.dim() == 3 else x, generator)
        if x.dim() != 3:
            return batch._replace(x=y), log_det
        y, log_det = y.reshape(*x.shape[:2], -1), log_det.reshape(x.shape[:2])
        if batch.lengths is not None:
            valid = within(batch.lengths, x.shape[1])
            y, log_det = torch.where(valid[..., None], y, 0), torch.where(valid, log_det, 0)
        return batch._replace(x=y), log_det.sum(1)

    def in_data_units(self, y: Tensor) -> Tensor:
        """Undo the preprocessing of what the nets give."""
        if y.dim() != 3:
            return self.preprocessing.inverse(y)
        steps = self.preprocessing.inverse(y.flatten(0, 1))
        return steps.reshape(*y.shape[:2], -1)

    def prepare(
        self,
        x: Data,
        context: Data | None = None,
        generator: torch.Generator | None = None,
        *,
        lengths: Lengths | None = None,
    ) -> tuple[Batch, Tensor]:
        """Checked data as the nets see them, and log |det dy/dx| (B,).

        Raises:
            ValueError: if the model was not fitted or the data do not fit it.
        """
        self.check_fitted()
        batch, log_det = self.preprocessed(self.as_batch(x, context, lengths), generator)
        self.check(batch)
        return batch, log_det

    def prepare_holes(
        self,
        x: Data,
        mask: Data,
        context: Data | None = None,
        generator: torch.Generator | None = None,
        *,
        lengths: Lengths | None = None,
    ) -> tuple[Tensor, Tensor, Batch, Tensor]:
        """Data with 0 for what is hidden and their mask; both once more as the nets see them.

        Raises:
            ValueError: if mask or data cannot be used, or the preprocessing mixes dimensions.
        """
        self.check_fitted()
        self.preprocessing.check_elementwise("impute")
        given, holes = as_tensor(x), as_tensor(mask, "The mask")
        seen = check_mask(holes.flatten(1), given.flatten(1)).reshape(given.shape)
        seen = seen.to(self.device)
        data = self.as_batch(torch.where(seen, given.to(self._like), 0), context, lengths)
        batch, _ = self.preprocessed(data, generator)
        here = self.preprocessing.kept(seen)
        batch = batch._replace(x=torch.where(here, batch.x, 0))
        self.check(batch)
        return data.x, seen, batch, here

    @torch.no_grad()
    def some_rows(self, data: Batch, most: int, generator: torch.Generator | None) -> Batch:
        """At most so many rows, spread over the data, as the nets see them."""
        rows = torch.linspace(0, len(data.x) - 1, min(most, len(data.x)), device=self.device)
        return self.preprocessed(data.at(rows.long()), generator)[0]

    def context_rows(self, context: Data | None, rows: int) -> Tensor | None:
        """A context on the model's device, checked."""
        given = None if context is None else torch.as_tensor(context).to(self._like)
        check_context(self, given, rows)
        return given

    def rows_at_once(self) -> int:
        """How many rows the nets can take when much is evaluated."""
        return _ROWS

    def pieces(self, batch: Batch) -> list[Batch]:
        """The rows in parts that fit into memory."""
        return chunks(batch, self.rows_at_once())


def exact(device: torch.device) -> AbstractContextManager[object]:
    """Within it products have the precision of what goes into them, even within autocast."""
    half = torch.is_autocast_enabled(device.type)  # to leave it costs as much as a small product
    return torch.autocast(device.type, enabled=False) if half else nullcontext()
