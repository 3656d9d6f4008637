"""What the models of ``gail generate`` share: flags, fitting, pictures, preprocessing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from gail.cli.generate_folder import CHECKPOINT, check_folder
from gail.errors import GailError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import Figure
    from torch import Generator, Tensor

    from gail.movies import Picture
    from generative import Batch, NeuralModel, Training, Transform

Preprocessing = Literal["none", "standardise", "whiten"]


@dataclass(frozen=True)
class Family(ABC):
    """The flags of one family.

    Attributes:
        takes: the kinds of rows that it models as they are; others are made vectors.
    """

    takes: ClassVar[tuple[str, ...]] = ("vectors",)

    def check(self, out: Path, overwrite: bool) -> None:
        """Refuse a folder that holds an earlier run, and flags that do not go together.

        Raises:
            GailError: naming the file or the flags.
            FileError: the folder cannot be written to.
        """
        check_folder(out, overwrite)

    @abstractmethod
    def build(self, data: Batch) -> Any:
        """An unfitted model for such rows."""

    @abstractmethod
    def fit(self, model: Any, data: Batch, generator: Generator, out: Path) -> None:
        """Fit it and show how it goes."""

    def sample(self, model: Any, n: int, generator: Generator) -> Tensor:
        """Rows as they are drawn and kept."""
        rows: Tensor = model.sample(n, generator)
        return rows

    def facts(self, model: Any) -> dict[str, Any]:
        """What the result tells of the fitted model."""
        return {}

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """Further pictures, by name, of rows that it was not fitted to where there are such.

        ``shape`` is that of a row in the source, (C, H, W) of images that were made vectors.
        """
        return {}

    def films(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Iterator[Picture]]:
        """Films, by name, likewise."""
        return {}


@dataclass(frozen=True)
class Trained(Family):
    """Models that are trained by gradients, GANs among them."""

    epochs: int = 100
    """Passes over the rows."""
    minutes: float | None = None
    """End after so many, even if the epochs are not over."""
    batch_size: int = 128
    """Rows a step, at most."""
    learning_rate: float = 1e-3
    """Of Adam."""
    validation: float = 0.1
    """Share of the fitted rows on which the loss is watched; 0 for none."""
    tensorboard: bool = False
    """Write TensorBoard events to the folder."""
    resume: bool = False
    """Go on with a training in --out that was cut off; give all flags as they were."""

    def check(self, out: Path, overwrite: bool) -> None:
        """Likewise; a training may also go on."""
        check_folder(out, overwrite, self.resume)

    def fit(
        self,
        model: NeuralModel,
        data: Batch,
        generator: Generator,
        out: Path,
        report: Callable[[int, dict[str, float]], None] | None = None,
    ) -> None:
        """Train with a progress bar and a checkpoint, which is neither lost nor made up.

        ``report`` is called after each epoch with its number and mean metrics.
        """
        from generative import Monitor

        checkpoint = out / CHECKPOINT
        events = out / "tensorboard" if self.tensorboard else None
        monitor = Monitor(progress=True, log_dir=events, report=report, checkpoint=checkpoint)
        try:
            model.fit(
                data.x,
                lengths=data.lengths,
                validation=self.validation or None,
                training=self.training(model.training_defaults),
                monitor=monitor,
                generator=generator,
            )
        except KeyboardInterrupt:
            told = "go on with --resume" if checkpoint.exists() else "nothing was written yet"
            raise KeyboardInterrupt(f"stopped by SIGINT; {told}") from None

    def training(self, defaults: Training) -> Training:
        """How it is trained."""
        return replace(
            defaults,
            epochs=self.epochs,
            minutes=self.minutes,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
        )

    def facts(self, model: NeuralModel) -> dict[str, Any]:
        """How large the model is and how long it was trained."""
        parameters = sum(each.numel() for each in model.parameters())
        return {"parameters": parameters, "epochs": int(model.epochs_trained)}


@dataclass(frozen=True)
class Gradient(Trained):
    """Models whose loss tells how good they are."""

    patience: int | None = None
    """Epochs without a better validation loss before it stops; the best weights are kept."""

    def check(self, out: Path, overwrite: bool) -> None:
        """Likewise; patience needs a loss that is watched."""
        super().check(out, overwrite)
        if self.patience is not None and not self.validation:
            raise GailError(
                f"--patience is {self.patience}, which waits for a better loss on rows held out "
                "for it; give --validation 0.1, say, or leave out --patience."
            )

    def training(self, defaults: Training) -> Training:
        """With patience."""
        return replace(super().training(defaults), patience=self.patience)


def chain(preprocessing: Preprocessing) -> Transform:
    """The preprocessing of a flag."""
    from generative import Chain, DropConstant, Standardise, Whiten

    match preprocessing:
        case "none":
            return Chain(DropConstant())
        case "standardise":
            return Chain(DropConstant(), Standardise())
        case "whiten":
            return Chain(DropConstant(), Whiten())


def shape_behind(preprocessing: Transform, data: Batch) -> tuple[int, ...]:
    """The shape of a row, or of one step, once the preprocessing is fitted to such rows."""
    import copy

    from generative.batches import frames

    rows = frames(data).float()
    y, _ = copy.deepcopy(preprocessing).fit(rows)(rows[:1])
    return tuple(y.shape[1:])
