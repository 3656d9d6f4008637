"""What PixelCNN and PixelRNN share: exact log-probabilities, draws and completions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from generative.batches import Batch, check_context, check_rows
from generative.chain import describe
from generative.data import Data
from generative.described import describe_part, part_from
from generative.discretised import DiscretisedLogistic
from generative.likelihoods import Categorical, Discrete
from generative.neural import NeuralModel
from generative.raster_masks import check_prefix
from generative.raster_nets import RasterNetwork, Sizes
from generative.raster_sampling import Report, complete, to_units
from generative.training import Moment, Training
from generative.transform import Transform

_CELLS = 1 << 23  # numbers that a net holds at once when much is evaluated
_DRAWN = 256  # rows that are drawn at once; more are hardly faster


class RasterModel(NeuralModel):
    """p(x) as a product: each value given those before it.

    Images come line by line, from left to right, and each pixel one colour after another; windows
    of sequences step by step, and each step one feature after another.

    Attributes:
        shape: of one row, (C, H, W), or (T, D) of windows.
        likelihood: of each value given those before it.
        network: what made the net.
        context: C, the width of what the model is conditioned on; 0 for nothing.
    """

    networks: ClassVar[tuple[type[RasterNetwork], ...]]
    dimensions: ClassVar[tuple[int, ...]] = (3,)
    training_defaults = Training(
        batch_size=64, learning_rate=3e-3, schedule="cosine", max_grad_norm=1.0
    )

    def __init__(
        self,
        shape: Sequence[int],
        levels: int | Discrete = 2,
        *,
        network: RasterNetwork | None = None,
        context: int = 0,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(preprocessing)
        self.shape, name = tuple(shape), type(self).__name__
        if len(self.shape) not in self.dimensions or min(self.shape) < 1 or context < 0:
            windows = " or (T, D)" if 2 in self.dimensions else ""
            raise ValueError(
                f"A {name} was given shape={self.shape} and context={context}; expected "
                f"(C, H, W){windows}, each 1 or more, and a context of 0 or more."
            )
        self.likelihood = Categorical(levels) if isinstance(levels, int) else levels
        self.network, self.context = network or self.networks[0](), context
        if not isinstance(self.network, self.networks):
            kinds = " or ".join(kind.__name__ for kind in self.networks)
            raise ValueError(
                f"A {name} was given the network {type(self.network).__name__}; expected {kinds}."
            )
        sizes = Sizes(self.image_shape, self.likelihood.outputs, context)
        self.net = self.network.build(sizes)
        # Weights tell convolutions the order of numbers; images of one colour have none to tell.
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) that the net sees: a window (T, D) is one line of D colours."""
        if len(self.shape) == 2:
            return self.shape[1], 1, self.shape[0]
        colours, height, width = self.shape
        return colours, height, width

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "shape": list(self.shape),
            "levels": describe_part(self.likelihood),
            "network": describe_part(self.network),
            "context": self.context,
            "preprocessing": describe(self.preprocessing),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        parts = {
            "levels": part_from(settings["levels"], (Categorical, DiscretisedLogistic)),
            "network": part_from(settings["network"], cls.networks),
        }
        return super().from_settings({**settings, **parts})

    def check(self, batch: Batch) -> None:
        """Refuse rows of another shape or of several lengths, other levels, a wrong context.

        Raises:
            ValueError: in one sentence.
        """
        check_rows(self, batch)
        check_context(self, batch.context, len(batch.x))
        self.likelihood.check(batch.x)

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """Minus the mean log-probability, in nats, and the same in bits for each value."""
        nats = -self.log_mass(batch).mean()
        return {"loss": nats, "bits": nats.detach() * self.bits}

    def log_mass(self, batch: Batch) -> Tensor:
        """Log-probabilities (B,) of rows as the nets see them."""
        x = self.images(batch.x)
        numbers = self.net(to_units(x, self.likelihood.levels), batch.context)
        return self.likelihood.log_prob(numbers.to(x.dtype), x).flatten(1).sum(1)

    @torch.no_grad()
    def log_prob(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Exact log-probability (B,) in nats; behind ``Quantise`` the density of the data.

        Args:
            x: rows (B, *shape).
            context: (B, C), if the model is conditional.
            generator: for preprocessing that draws.
        """
        batch, log_det = self.prepare(x, context, generator)
        return torch.cat([self.log_mass(part) for part in self.pieces(batch)]) + log_det

    @torch.no_grad()
    def bits_per_dimension(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Bits (B,) that each value of a row costs in the mean; arguments as for ``log_prob``."""
        batch, _ = self.prepare(x, context, generator)
        return torch.cat([self.log_mass(part) for part in self.pieces(batch)]) * -self.bits

    @torch.no_grad()
    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        context: Data | None = None,
        *,
        report: Report | None = None,
    ) -> Tensor:
        """Draw rows (n, *shape), each pixel computing only what it changes.

        Args:
            n: how many.
            generator: source of the draws.
            context: (n, C), if the model is conditional.
            report: called after each line with the number of lines that are done, and of all.

        Raises:
            ValueError: if a number or the context cannot be used.
        """
        self.check_fitted()
        if n < 1:
            raise ValueError(f"sample was asked for {n} rows; give 1 or more.")
        empty = self._like.new_zeros(n, *self.image_shape)
        batch = Batch(empty, self.context_rows(context, n))
        seen = torch.zeros_like(empty, dtype=torch.bool)
        return self.in_data_units(self.rows(self._drawn(batch, seen, generator, report)))

    @torch.no_grad()
    def impute(
        self,
        x: Data,
        mask: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
        report: Report | None = None,
    ) -> Tensor:
        """Complete rows (B, *shape) by drawing what follows an observed beginning, given it.

        Args:
            x: rows; hidden values may be anything.
            mask: (B, *shape), True where a value is observed: in each row a beginning, in the
                order in which the model goes.
            context: (B, C), if the model is conditional.
            generator: source of the draws.
            report: as for ``sample``.

        Raises:
            ValueError: if mask or rows cannot be used, or the preprocessing mixes dimensions.
        """
        data, seen, batch, here = self.prepare_holes(x, mask, context, generator)
        here = self.images(here)
        check_prefix(here)
        batch = batch._replace(x=self.images(batch.x))
        whole = self.rows(self._drawn(batch, here, generator, report))
        return torch.where(seen, data, self.in_data_units(whole))

    def images(self, x: Tensor) -> Tensor:
        """Rows (B, *shape) as images (B, C, H, W)."""
        return x.mT[:, :, None] if len(self.shape) == 2 else x

    def rows(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as rows (B, *shape)."""
        return images[:, :, 0].mT if len(self.shape) == 2 else images

    @property
    def bits(self) -> float:
        """Bits for each value of a row that has one nat."""
        return 1 / (math.log(2) * math.prod(self.shape))

    def rows_at_once(self) -> int:
        """How many rows the net can take when much is evaluated."""
        colours, height, width = self.image_shape
        numbers = colours * self.likelihood.outputs + 8 * self.net.first.weight.shape[0]
        return max(1, _CELLS // (height * width * numbers))

    def _drawn(
        self,
        batch: Batch,
        seen: Tensor,
        generator: torch.Generator | None,
        report: Report | None,
    ) -> Tensor:
        """Images (B, C, H, W) with what is not seen drawn, in parts."""
        x = batch.x
        shares = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        parts, height = math.ceil(len(x) / _DRAWN), x.shape[2]
        done = []
        for part in range(parts):
            rows = slice(part * _DRAWN, (part + 1) * _DRAWN)
            images, context, _ = batch.at(rows)

            def told(line: int, lines: int, before: int = part * height) -> None:
                if report is not None:
                    report(before + line, parts * lines)

            at = images, seen[rows], shares[rows], context
            done.append(complete(self.net, self.likelihood, *at, report=told))
        return torch.cat(done)
