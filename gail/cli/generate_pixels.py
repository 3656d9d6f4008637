"""PixelCNN and PixelRNN in ``gail generate``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gail.cli.console import notices
from gail.cli.generate_family import Gradient, shape_behind

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from torch import Generator, Tensor

    from generative import Batch, NeuralModel, Transform
    from generative.likelihoods import Discrete

DIMENSIONS = {"images": 4, "sequences": 3}
STEPS = 64  # that values of sequences are cut into where --levels is not given
MOST = 256  # levels of images where --levels is not given


@dataclass(frozen=True)
class Pixels(Gradient):
    """Models that go pixel by pixel."""

    epochs: int = 40
    """Passes over the rows."""
    batch_size: int = 32
    """Rows a step, at most."""
    learning_rate: float = 2e-3
    """Of Adam."""
    channels: int | None = None
    """Of the net; by default near 32, and as many for each colour or feature."""
    blocks: int = 5
    """Of the net."""
    levels: int | None = None
    """Of images those they have, or 2 for bits drawn from shades; of sequences 64 equal steps."""
    output: Literal["categorical", "logistic"] = "categorical"
    """Any probabilities of levels, or a mixture that knows their order."""

    def parts(self, data: Batch) -> dict[str, Any]:
        """What both models are made of.

        Raises:
            ValueError: if rows are not of a kind that the model takes.
        """
        from generative import Chain, DropConstant
        from generative.binarise import DynamicBinarise
        from generative.quantise import Quantise
        from generative.transform import Transform as Nothing

        if data.x.dim() not in [DIMENSIONS[kind] for kind in self.takes]:
            raise ValueError(
                f"This model takes {' and '.join(self.takes)} and was given rows of the shape "
                f"{tuple(data.x.shape[1:])}; choose another model, or see --kind."
            )
        preprocessing: Transform = Nothing()
        if data.x.dim() == 3:
            levels = self.levels or STEPS
            preprocessing = Chain(DropConstant(), Quantise(levels))
            shape = (data.x.shape[1], *shape_behind(preprocessing, data))
        else:
            levels, shape = self.levels or levels_of(data.x), tuple(data.x.shape[1:])
            if self.levels == 2:
                preprocessing = DynamicBinarise(float(data.x.max()))
        likelihood = self.likelihood(levels)
        return {"shape": shape, "levels": likelihood, "preprocessing": preprocessing}

    def likelihood(self, levels: int) -> Discrete:
        """Of each value."""
        from generative.discretised import DiscretisedLogistic
        from generative.likelihoods import Categorical

        return DiscretisedLogistic(levels) if self.output == "logistic" else Categorical(levels)

    def sizes(self, shape: tuple[int, ...]) -> dict[str, int]:
        """Channels that can be shared out to the colours, and blocks."""
        from generative.raster_masks import nearest

        colours = shape[1] if len(shape) == 2 else shape[0]
        return {"channels": self.channels or nearest(32, colours), "blocks": self.blocks}

    def sample(self, model: Any, n: int, generator: Generator) -> Tensor:
        """Rows, with a progress bar."""
        with bar("sampling") as report:
            rows: Tensor = model.sample(n, generator, report=report)
        return rows

    def pictures(
        self, model: Any, data: Batch, generator: Generator, shape: tuple[int, ...]
    ) -> dict[str, Figure]:
        """Rows completed from their first halves."""
        from gail.pixel_pictures import completed, continued

        def impute(x: Tensor, mask: Tensor) -> Tensor:
            with bar("completing") as report:
                whole: Tensor = model.impute(x, mask, generator=generator, report=report)
            return whole

        draw = continued if data.x.dim() == 3 else completed
        return {"completed": draw(impute, data.x)}


@dataclass(frozen=True)
class CNN(Pixels):
    """PixelCNN, for images, and for windows of sequences."""

    takes = ("images", "sequences")

    network: Literal["gated", "masked"] = "gated"
    """Two gated stacks without a blind spot, or residual blocks of masked convolutions."""
    kernel: int = 3
    """Width of the convolutions, odd."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative.gated_stacks import Gated
        from generative.masked_blocks import Masked
        from generative.pixel_models import PixelCNN

        parts = self.parts(data)
        kind = Gated if self.network == "gated" else Masked
        network = kind(kernel=self.kernel, **self.sizes(parts["shape"]))
        return PixelCNN(network=network, **parts)


@dataclass(frozen=True)
class RNN(Pixels):
    """PixelRNN, for images."""

    takes = ("images",)

    network: Literal["row", "diagonal"] = "row"
    """LSTMs that go line by line, or along diagonals from both sides."""
    blocks: int = 3
    """Of the net."""

    def build(self, data: Batch) -> NeuralModel:
        """The model."""
        from generative.pixel_models import PixelRNN
        from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM

        parts = self.parts(data)
        sizes = self.sizes(parts["shape"])
        network = RowLSTM(**sizes) if self.network == "row" else DiagonalBiLSTM(**sizes)
        return PixelRNN(network=network, **parts)


def levels_of(x: Tensor) -> int:
    """How many levels images have: one more than their greatest value.

    Raises:
        ValueError: if their values are no whole numbers from 0, or too many.
    """
    least, most = float(x.min()), float(x.max())
    if least < 0 or most >= MOST or (x.is_floating_point() and bool((x != x.floor()).any())):
        raise ValueError(
            f"The images hold values from {least:g} to {most:g}; expected whole numbers from 0 to "
            f"{MOST - 1}, or --levels 2, which draws bits from shades."
        )
    return max(2, int(most) + 1)


@contextmanager
def bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar, as something to report to."""
    from rich.progress import Progress

    with Progress(console=notices()) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)
