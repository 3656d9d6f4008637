"""What all families that learn by gradients share: ``fit``, and what the trainer asks for."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from generative import continuation
from generative.batches import Batch, as_batch, frames, row_shape, split
from generative.data import Data, as_tensor
from generative.files import require_writable
from generative.prepared import Prepared, exact
from generative.trainer import Trainer
from generative.training import Moment, Monitor, Training
from generative.transform import Transform

CHUNK = 4096  # rows that are checked at once


class NeuralModel(Prepared):
    """A family that is trained by gradients.

    A family implements :meth:`check` and :meth:`loss`, and where several players train against
    each other :meth:`players`, :meth:`turns` and :meth:`adam`. All of them see data as the nets
    do: floating point, on the model's device, after the preprocessing. Network sizes are
    constructor arguments, so that ``settings()`` rebuilds the same nets. All noise comes
    from the generator that ``loss`` gets: then training continues exactly.

    Attributes:
        epochs_trained: over all calls of ``fit``.
        training_defaults: the settings where ``fit`` gets none.
    """

    epochs_trained: Tensor
    training_defaults: Training = Training()

    def __init__(self, preprocessing: Transform | None = None) -> None:
        super().__init__(preprocessing)
        self.register_buffer("epochs_trained", torch.tensor(0))

    @property
    def fitted(self) -> bool:
        """Whether it was trained for an epoch."""
        return bool(self.epochs_trained > 0)

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
        return {"model": [each for each in self.parameters() if each.requires_grad]}

    def turns(self, step: int) -> Sequence[str]:
        """Which players move at a step, in order."""
        return ("model",)

    def adam(self, player: str) -> dict[str, Any]:
        """Further settings of a player's Adam, such as ``betas``."""
        return {}

    def after_step(self, moment: Moment) -> None:
        """What follows each step, such as a moving average of weights in buffers."""

    def check_training(self, rows: int, training: Training) -> None:
        """Refuse settings with which the model cannot be trained on so many rows.

        Raises:
            ValueError: in one sentence.
        """
        smallest = rows // math.ceil(rows / training.batch_size)
        if smallest < 2 and self.compares_rows():
            raise ValueError(
                f"Batches of {smallest} row are too small for batch norm or minibatch "
                f"discrimination (batch_size={training.batch_size} of {rows} rows); give batches "
                "of 2 or more."
            )

    def compares_rows(self) -> bool:
        """Whether what the nets make of a row depends on the others of its batch."""
        return any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in self.modules())

    def before_fit(self, data: Batch) -> None:
        """What the first ``fit`` learns of data, here as they were given, without gradients."""

    def after_fit(self, data: Batch) -> None:
        """What is left to do once ``fit`` has trained on data, here as they were given."""

    def fit(
        self,
        x: Data,
        *,
        context: Data | None = None,
        lengths: Data | Sequence[int] | None = None,
        validation: Data | Batch | float | None = None,
        training: Training | None = None,
        monitor: Monitor | None = None,
        generator: torch.Generator | None = None,
    ) -> Self:
        """Train on rows. A fitted model is trained further; its preprocessing stays.

        Args:
            x: (N, D), (N, C, H, W) or (N, T, D); whole numbers stay what they are until their
                batch is drawn.
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
        data, held_out = self._held_out(data, validation)
        if training.patience is not None and held_out is None:
            raise ValueError(
                f"patience={training.patience} needs validation data; give fit(validation=...)."
            )
        self.check_training(len(data.x), training)
        generator = self._generator(generator)
        if monitor.checkpoint is not None:
            require_writable(monitor.checkpoint)
        before = self.preprocessing, self.row_shape
        self.preprocessing = self._checked(data, held_out)
        self.row_shape = torch.tensor([size or 0 for size in row_shape(data.x)])
        try:
            if not self.fitted:
                with torch.no_grad(), exact(data.x.device):
                    self.before_fit(data)
            trainer = Trainer(self, data, held_out, training, generator)
            if monitor.checkpoint is not None and monitor.checkpoint.exists():
                continuation.restore(monitor.checkpoint, trainer)
        except ValueError:
            self.preprocessing, self.row_shape = before
            raise
        try:
            trainer.run(monitor)
        finally:
            self.eval()
        with torch.no_grad(), exact(data.x.device):
            self.after_fit(data)
        return self

    def _held_out(
        self, data: Batch, validation: Data | Batch | float | None
    ) -> tuple[Batch, Batch | None]:
        """Data to train on and to validate on."""
        if validation is None:
            return data, None
        if isinstance(validation, float | int):
            return split(data, validation)
        given = validation if isinstance(validation, Batch) else Batch(as_tensor(validation))
        return data, as_batch(*given, like=self._like, shape=row_shape(data.x))

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
                with exact(data.x.device):
                    self.preprocessing = copy.deepcopy(before).fit(frames(data).to(self._like))
            for batch in (data, held_out):
                for start in range(0, 0 if batch is None else len(batch.x), CHUNK):
                    assert batch is not None
                    noise = torch.Generator(self.device).manual_seed(0)
                    part = batch.at(slice(start, start + CHUNK))
                    self.check(self.preprocessed(part, noise)[0])
            return self.preprocessing
        finally:
            self.preprocessing = before
