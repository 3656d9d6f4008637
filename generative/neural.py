"""What all families that learn by gradients share: data in, the trainer, preprocessing."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from generative.chain import from_description
from generative.data import Data, as_tensor, check_finite
from generative.files import require_writable
from generative.model import GenerativeModel
from generative.trainer import Trainer
from generative.training import Batch, Moment, Monitor, Training
from generative.transform import Transform

CHUNK = 4096  # rows that are checked at once
SPLIT_SEED = 0  # the same rows are held out when a training is continued


class NeuralModel(GenerativeModel):
    """A family that is trained by gradients.

    A family implements :meth:`check` and :meth:`loss`, and where several players train against
    each other :meth:`players`, :meth:`turns` and :meth:`adam`. All of them see data as the nets
    do: floating point, on the model's device, after the preprocessing. Network sizes are
    constructor arguments, so that ``settings()``, which also has
    ``"preprocessing": describe(self.preprocessing)``, rebuilds the same nets. All noise comes
    from the generator that ``loss`` gets: then training continues exactly.

    Attributes:
        preprocessing: fitted to the data of the first ``fit``.
        epochs_trained: over all calls of ``fit``.
        training_defaults: the settings where ``fit`` gets none.
    """

    epochs_trained: Tensor
    training_defaults: Training = Training()

    def __init__(self, preprocessing: Transform | None = None) -> None:
        super().__init__()
        self.preprocessing = Transform() if preprocessing is None else preprocessing
        self.register_buffer("epochs_trained", torch.tensor(0))

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        return cls(**{**settings, "preprocessing": from_description(settings["preprocessing"])})

    @property
    def fitted(self) -> bool:
        """Whether it was trained for an epoch."""
        return bool(self.epochs_trained > 0)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.epochs_trained.device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the nets."""
        return next(self.parameters()).dtype

    @abstractmethod
    def check(self, batch: Batch) -> None:
        """Refuse data that do not fit the model: their shape, range, context or lengths.

        Called on all data, in chunks and after preprocessing, before any work.

        Raises:
            ValueError: in one sentence.
        """

    @abstractmethod
    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """``"loss"``, the mean over the batch that is minimised, and further scalars to log."""

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Who trains which parameters, each with its own Adam; the first one is validated."""
        return {"model": list(self.parameters())}

    def turns(self, step: int) -> Sequence[str]:
        """Which players move at a step, in order."""
        return ("model",)

    def adam(self, player: str) -> dict[str, Any]:
        """Further settings of a player's Adam, such as ``betas``."""
        return {}

    def after_fit(self, data: Batch) -> None:  # noqa: B027 (most families need none)
        """What is left to do once ``fit`` has trained on data, here as they were given."""

    def fit(
        self,
        x: Data,
        *,
        context: Data | None = None,
        lengths: Data | None = None,
        validation: Data | Batch | float | None = None,
        training: Training | None = None,
        monitor: Monitor | None = None,
        generator: torch.Generator | None = None,
    ) -> Self:
        """Train on rows. A fitted model is trained further; its preprocessing stays.

        Args:
            x: (N, D), (N, C, H, W) or (N, T, D), of any type; cast batch by batch.
            context: (N, C), where the family is conditional.
            lengths: (N,), how many of the T steps count; what lies beyond is not looked at.
            validation: rows to validate on, a :class:`Batch` if they have context or lengths, or
                the share of ``x`` that is held out for it.
            training: by default ``training_defaults``.
            monitor: what is shown and kept.
            generator: source of all randomness, on the model's device.

        Raises:
            ValueError: if the data or settings cannot be used; the model is as it was then.
            DivergenceError: if a loss is not finite; the weights are those before that epoch.
        """
        training, monitor = training or self.training_defaults, monitor or Monitor()
        data = self.as_batch(x, context, lengths)
        data, held_out = self._split(data, validation)
        if training.patience is not None and held_out is None:
            raise ValueError(
                f"patience={training.patience} needs validation data; give fit(validation=...)."
            )
        generator = self._generator(generator)
        if monitor.checkpoint is not None:
            require_writable(monitor.checkpoint)
        self.preprocessing = self._checked(data, held_out)
        trainer = Trainer(self, data, held_out, training, generator)
        if monitor.checkpoint is not None and monitor.checkpoint.exists():
            trainer.restore(monitor.checkpoint)
        try:
            trainer.run(monitor)
        finally:
            self.eval()
        with torch.no_grad():
            self.after_fit(data)
        return self

    def as_batch(self, x: Data, context: Data | None = None, lengths: Data | None = None) -> Batch:
        """Data on the model's device, in their own type, with zeros beyond the lengths.

        Raises:
            ValueError: if shapes do not fit or a value that counts is not finite.
        """
        rows = as_tensor(x).to(self.device)
        if rows.dim() not in (2, 3, 4) or 0 in rows.shape:
            raise ValueError(
                f"x has the shape {tuple(rows.shape)}; expected vectors (N, D), images "
                "(N, C, H, W) or sequences (N, T, D)."
            )
        steps = None if lengths is None else _lengths(lengths, rows).to(self.device)
        if steps is not None:
            rows = torch.where(within(steps, rows.shape[1])[..., None], rows, 0)
        check_finite(rows, "x")
        return Batch(rows, None if context is None else self._context(context, len(rows)), steps)

    def preprocessed(
        self, batch: Batch, generator: torch.Generator | None = None
    ) -> tuple[Batch, Tensor]:
        """What the nets see of data, and log |det dy/dx| (B,).

        The steps of a sequence are preprocessed one by one, those beyond its length become 0.
        """
        x = batch.x.to(self.dtype)
        if x.dim() != 3:
            y, log_det = self.preprocessing(x, generator)
            return batch._replace(x=y), log_det
        y, log_det = self.preprocessing(x.flatten(0, 1), generator)
        y, log_det = y.reshape(*x.shape[:2], -1), log_det.reshape(x.shape[:2])
        if batch.lengths is not None:
            valid = within(batch.lengths, x.shape[1])
            y, log_det = torch.where(valid[..., None], y, 0), torch.where(valid, log_det, 0)
        return batch._replace(x=y), log_det.sum(1)

    def in_data_units(self, y: Tensor) -> Tensor:
        """Undo the preprocessing of what the nets give."""
        if y.dim() != 3:
            return self.preprocessing.inverse(y)
        frames = self.preprocessing.inverse(y.flatten(0, 1))
        return frames.reshape(*y.shape[:2], -1)

    def _split(
        self, data: Batch, validation: Data | Batch | float | None
    ) -> tuple[Batch, Batch | None]:
        """Data to train and to validate on."""
        if validation is None:
            return data, None
        if isinstance(validation, Batch):
            return data, self.as_batch(*validation)
        if not isinstance(validation, float | int):
            return data, self.as_batch(validation)
        held = round(validation * len(data.x)) if 0 < validation < 1 else 0
        if not 0 < held < len(data.x):
            raise ValueError(
                f"validation={validation} of {len(data.x)} rows leaves nothing to validate or "
                "to train on; expected a share between 0 and 1."
            )
        fixed = torch.Generator().manual_seed(SPLIT_SEED)
        order = torch.randperm(len(data.x), generator=fixed).to(self.device)
        return data.at(order[held:]), data.at(order[:held])

    def _generator(self, generator: torch.Generator | None) -> torch.Generator:
        if generator is None:
            seed = int(torch.randint(2**62, ()))
            return torch.Generator(self.device).manual_seed(seed)
        if generator.device.type != self.device.type:
            raise ValueError(
                f"The generator is on {generator.device} and the model on {self.device}; "
                f"make it with torch.Generator({str(self.device)!r})."
            )
        return generator

    @torch.no_grad()
    def _checked(self, data: Batch, held_out: Batch | None) -> Transform:
        """The preprocessing, fitted, once all data were checked behind it."""
        before = self.preprocessing
        try:
            if not self.fitted:
                self.preprocessing = copy.deepcopy(before).fit(_frames(data).to(self.dtype))
            for batch in (data, held_out):
                for start in range(0, 0 if batch is None else len(batch.x), CHUNK):
                    assert batch is not None
                    noise = torch.Generator(self.device).manual_seed(0)
                    part = batch.at(slice(start, start + CHUNK))
                    self.check(self.preprocessed(part, noise)[0])
            return self.preprocessing
        finally:
            self.preprocessing = before

    def _context(self, context: Data, rows: int) -> Tensor:
        given = as_tensor(context, "context").to(self.device, self.dtype)
        if given.dim() != 2 or len(given) != rows:
            raise ValueError(
                f"context has the shape {tuple(given.shape)}; expected ({rows}, C), a row for "
                "each row of x."
            )
        check_finite(given, "context")
        return given


def within(lengths: Tensor, steps: int) -> Tensor:
    """Which steps (B, T) of sequences count.

    >>> within(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def _frames(data: Batch) -> Tensor:
    """What preprocessing is fitted to: rows, or the steps of all sequences that count."""
    if data.x.dim() != 3:
        return data.x
    if data.lengths is None:
        return data.x.flatten(0, 1)
    return data.x[within(data.lengths, data.x.shape[1])]


def _lengths(lengths: Data, x: Tensor) -> Tensor:
    given = as_tensor(lengths, "lengths")
    if x.dim() != 3 or given.shape != (len(x),) or given.dtype.is_floating_point:
        raise ValueError(
            f"lengths has the shape {tuple(given.shape)} ({given.dtype}) and x {tuple(x.shape)}; "
            "expected whole numbers (N,) beside sequences (N, T, D)."
        )
    if not ((given >= 1) & (given <= x.shape[1])).all():
        raise ValueError(
            f"lengths go from {int(given.min())} to {int(given.max())}; expected 1 to "
            f"{x.shape[1]}, the number of steps in x."
        )
    return given.long()
