"""How a model is trained by gradients: settings, what is shown and kept, and small parts.

The loop itself is :class:`generative.trainer.Trainer`; a family is a
:class:`generative.neural.NeuralModel`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor

from generative.batches import Batch as Batch
from generative.data import check_positive

SECONDS_BETWEEN_LOOKS = 0.1

Schedule = Literal["constant", "cosine"]


class DivergenceError(RuntimeError):
    """Training met a loss or weights that are not finite."""


@dataclass(frozen=True)
class Training:
    """How a model is trained by gradients.

    >>> Training(epochs=0)
    Traceback (most recent call last):
    ValueError: Training was given epochs=0; it must be positive.
    """

    epochs: int = 100
    """Passes over the data."""
    batch_size: int = 128
    """Rows a step, at most; an epoch is cut into batches of nearly equal size."""
    learning_rate: float = 1e-3
    """Of Adam, for all players."""
    schedule: Schedule = "constant"
    """Of the learning rate: cosine lets it fall to 0 at the last step (Loshchilov & Hutter
    2017)."""
    weight_decay: float = 0.0
    """Decoupled from the gradient (AdamW, Loshchilov & Hutter 2019)."""
    max_grad_norm: float | None = None
    """Gradients longer than this are shortened to it."""
    patience: int | None = None
    """Epochs without a better validation loss before it stops; the best weights are kept."""
    minutes: float | None = None
    """It stops after these, even within an epoch, if the epochs are not over before; a training
    that is continued gets them again."""

    def __post_init__(self) -> None:
        check_positive(
            "Training",
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            max_grad_norm=self.max_grad_norm,
            patience=self.patience,
            minutes=self.minutes,
        )
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"Training was given weight_decay={self.weight_decay}; it must be at least 0."
            )
        if self.schedule not in get_args(Schedule):
            choices = ", ".join(get_args(Schedule))
            raise ValueError(f"The schedule is {self.schedule!r}; expected one of {choices}.")

    def rate(self, moment: Moment) -> float:
        """The learning rate at a step.

        >>> Training(learning_rate=2.0, schedule="cosine").rate(Moment(1, 4, 2, 4))
        0.777...
        """
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * moment.fraction))


@dataclass(frozen=True)
class Moment:
    """Where training is.

    Attributes:
        epoch: from 0.
        step: from 0, over all epochs.
        epochs: of this training.
        steps_per_epoch: batches in an epoch.
    """

    epoch: int
    step: int
    epochs: int
    steps_per_epoch: int

    @property
    def fraction(self) -> float:
        """0 at the first step, 1 at the last."""
        return self.step / max(self.epochs * self.steps_per_epoch - 1, 1)


@dataclass(frozen=True)
class Monitor:
    """What is shown and kept while a model is trained."""

    progress: bool = False
    """A bar on the standard error stream."""
    log_dir: Path | None = None
    """Folder for TensorBoard events."""
    report: Callable[[int, dict[str, float]], None] | None = None
    """Called after each epoch with its number, from 1, and its mean metrics."""
    checkpoint: Path | None = None
    """Written about once a minute and at the end. Where it exists, training continues from it
    exactly, if it is of the same model, settings and data."""

    def __post_init__(self) -> None:
        if self.checkpoint is not None:
            object.__setattr__(self, "checkpoint", Path(self.checkpoint))  # strings are fine


class Display:
    """Shows what a monitor asks for, from the moment at which training starts or goes on."""

    def __init__(self, monitor: Monitor, moment: Moment) -> None:
        self.report = monitor.report
        self.bar: Any = None
        self.events: Any = None
        if monitor.log_dir is not None:
            from torch.utils.tensorboard import SummaryWriter

            later = moment.epoch + 1 if moment.step else None  # events of a run that was cut off
            self.events = SummaryWriter(str(monitor.log_dir), purge_step=later)
        if monitor.progress:
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True))
            steps = moment.epochs * moment.steps_per_epoch
            self.task = self.bar.add_task("training", total=steps, completed=moment.step)
        self.shown = time.monotonic()

    def __enter__(self) -> Self:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.events is not None:
            self.events.close()

    def move(self, step: int) -> None:
        """Move the bar, not so often that it costs anything."""
        if self.bar is not None and time.monotonic() - self.shown > SECONDS_BETWEEN_LOOKS:
            self.bar.update(self.task, completed=step)
            self.shown = time.monotonic()

    def show(self, epoch: int, step: int, metrics: dict[str, float]) -> None:
        """One epoch's means, its number from 1."""
        if self.bar is not None:
            losses = (name for name in metrics if name.endswith("loss"))  # more has no room
            text = ", ".join(f"{name} {metrics[name]:.4g}" for name in losses)
            self.bar.update(self.task, completed=step, description=text)
        if self.events is not None:
            for name, value in metrics.items():
                self.events.add_scalar(name, value, epoch)
        if self.report is not None:
            self.report(epoch, metrics)


class Shuffled:
    """Row numbers in random order; each pass is a new permutation cut into equal parts.

    Args:
        rows: how many there are.
        parts: batches a pass; their sizes differ by at most one.
        device: where the numbers lie.
    """

    def __init__(self, rows: int, parts: int, device: torch.device) -> None:
        self.order = torch.arange(rows, device=device)  # (N,)
        self.parts = parts
        self.position = 0

    def next(self, generator: torch.Generator) -> Tensor:
        """The numbers of the next batch."""
        rows = len(self.order)
        if self.position == 0:
            self.order = torch.randperm(rows, generator=generator, device=self.order.device)
        start = self.position * rows // self.parts
        self.position += 1
        stop = self.position * rows // self.parts
        self.position %= self.parts
        return self.order[start:stop]
