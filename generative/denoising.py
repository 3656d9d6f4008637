"""How a diffusion model is made and trained; what it can do is in ``generative.diffusion``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from generative.batches import Batch, check_context, check_rows
from generative.chain import describe
from generative.denoisers import Denoiser, Mixer, Perceptron, Seen
from generative.described import describe_part, part_from
from generative.gaussian_basis import GaussianBasis, Level
from generative.neural import NeuralModel
from generative.noise import Noise, spread_evenly
from generative.training import Moment, Training
from generative.transform import Transform
from generative.windows import hide_at_random

_ROWS = 20_000  # that the Gaussian part is fitted to
_CELLS = 1 << 20  # numbers that go through the net at once when much is evaluated


class Known(NamedTuple):
    """What the net is told beside noisy rows.

    Attributes:
        x: (K, T, D), the first rows; anything finite where not seen. Of the others no value is
            known.
        seen: (K, T, D), True where a value is known.
        context: (B, C), of all rows.
    """

    x: Tensor
    seen: Tensor
    context: Tensor | None

    def put(self, noisy: Tensor, noise: Tensor) -> Tensor:
        """Noisy rows (B, T, D) in which known values have this noise (B, T, D)."""
        told, rest = noisy.tensor_split([len(self.x)])
        return torch.cat([torch.where(self.seen, self.x + noise[: len(told)], told), rest])


class Denoising(NeuralModel):
    """Net, loss and preparation of :class:`~generative.diffusion.Diffusion`, which see.

    Attributes:
        basis: the Gaussian part.
        clock: times (K,) of noise levels; see :class:`~generative.noise.Noise`.
    """

    clock: Tensor
    training_defaults = Training(schedule="cosine")

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        network: Denoiser | None = None,
        noise: Noise | None = None,
        context: int = 0,
        parts: float = 0.25,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(preprocessing)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        fits = len(self.shape) in (1, 2) and min(self.shape) > 0
        if not fits or not 0 <= parts < 1 or context < 0:
            raise ValueError(
                f"A Diffusion was given shape={self.shape}, parts={parts} and context={context}; "
                "expected a width D or (T, D), each 1 or more, a share of at least 0 and below 1, "
                "and a context of 0 or more."
            )
        self.network = network or (Perceptron() if len(self.shape) == 1 else Mixer())
        self.noise, self.context = noise or Noise(), context
        self.parts = parts
        length, features = (1, *self.shape)[-2:]
        beside = 3 * features if parts else features
        self.net = self.network.build(length, features, beside, context)
        self.basis = GaussianBasis()
        self.new_buffer("clock")

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "shape": list(self.shape),
            "network": describe_part(self.network),
            "noise": describe_part(self.noise),
            "context": self.context,
            "parts": self.parts,
            "preprocessing": describe(self.preprocessing),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        network: Denoiser = part_from(settings["network"], (Perceptron, Mixer))
        noise = part_from(settings["noise"], (Noise,))
        return super().from_settings({**settings, "network": network, "noise": noise})

    def check(self, batch: Batch) -> None:
        """Refuse rows of another shape or of several lengths, and a context that does not fit.

        Raises:
            ValueError: in one sentence.
        """
        check_rows(self, batch)
        check_context(self, batch.context, len(batch.x))

    def before_fit(self, data: Batch) -> None:
        """Fit the Gaussian part, and the clock to it."""
        noise = torch.Generator(self.device).manual_seed(0)
        self.basis.fit(self.windows(self.some_rows(data, _ROWS, noise).x))
        spreads = self.basis.variances.sqrt() / self.basis.scale
        self.clock = self.noise.clock(spreads).to(self._like)

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """The mean of :meth:`errors` at ratios spread over their range.

        The share ``parts`` of the rows, over many steps, show a random part of themselves, half of
        them beside the largest noise: that is where ``impute`` asks what is hidden. They are the
        first rows; which those are is random while the model learns.
        """
        x = self.windows(batch.x)
        share = self.parts * len(x)
        count = math.floor((moment.step + 1) * share) - math.floor(moment.step * share)
        told, rest = x.tensor_split([count])
        seen = self._shown(told, generator)
        asked = torch.rand(count, generator=generator, device=x.device) < 0.5
        asked &= seen.any(2).any(1)
        times = torch.cat([spread_evenly(len(rows), x, generator) for rows in (told, rest)])
        ratio = self.noise.ratio(times, self.clock)
        ratio[:count].masked_fill_(asked, self.noise.most)
        known = Known(told, seen, batch.context)
        return {"loss": self.errors(x, known, ratio, generator).mean()}

    def errors(
        self, x: Tensor, known: Known, ratio: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """How badly rows (B,) are told from noise, with gradients.

        The mean over what is not seen of (x - E[x | noisy])² (1 + ratio²) / ratio², in units of
        the data's spread: where the signal shrinks as noise grows, this is the error of the
        velocity (Salimans & Ho 2022, appendix D), which is about as large at all levels.

        Args:
            x: rows (B, T, D) after preprocessing.
            known: what the net is told of them.
            ratio: of noise to signal (B,).
            generator: source of the noise.
        """
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        level = self.basis.level(ratio * self.basis.scale)
        clean = self.basis.along(x - self.basis.mean)  # the noise looks the same along all axes
        narrowed = (clean + level.std * noise) * level.narrowing
        error = clean - self.basis.estimate(narrowed, level, self.added(narrowed, level, known))
        told, rest = error.tensor_split([len(known.x)])  # lengths are those along the axes
        told = self.basis.back(told).masked_fill(known.seen, 0)
        squares = torch.cat([part.square().mean((1, 2)) for part in (told, rest)])
        return squares * (1 + ratio.square()) / level.std.flatten().square()

    def estimate(self, noisy: Tensor, std: Tensor, known: Known) -> Tensor:
        """E[x | noisy, known] (B, T, D), of rows with noise of std, (B,) or one for all."""
        level = self.basis.level(std)
        narrowed = self.basis.narrowed(noisy, level)
        added = self.added(narrowed, level, known)
        return self.basis.rows(self.basis.estimate(narrowed, level, added))

    def added(self, narrowed: Tensor, level: Level, known: Known) -> Tensor:
        """What the net adds to the Gaussian's estimate, along the axes (B, T, D).

        The net sees noisy rows with all axes alike, and as the Gaussian's estimate. It says where
        rows lie on the axes that noise has not covered, from which the Gaussian's part is taken:
        the rest alone is uncorrelated with all that is seen, so nothing would tell the net on which
        of many axes there is anything to learn.

        Args:
            narrowed: coordinates of noisy rows (B, T, D), see :meth:`GaussianBasis.narrowed`.
            level: of their noise.
            known: what the net is told beside them.
        """
        basis, told = self.basis, None
        both = torch.cat([narrowed, basis.guess(narrowed, level)])
        white, guess = basis.back(both).chunk(2)
        if self.parts:
            values = (known.x - basis.mean) / basis.std
            told = torch.cat([values.masked_fill(~known.seen, 0), known.seen.to(values)], 2)
        logs = (level.std / basis.scale).log().flatten().expand(len(white))
        out = self.net(Seen(white, logs, guess / basis.std, told, known.context))
        return basis.along(out) - level.share * narrowed

    def windows(self, x: Tensor) -> Tensor:
        """Rows as windows (B, T, D); vectors have one step."""
        return x[:, None] if x.dim() == 2 else x

    def nothing(self, context: Tensor | None) -> Known:
        """That nothing is known of rows but their context (B, C)."""
        none = self.basis.mean.expand(0, *self.basis.mean.shape)
        return Known(none, none.bool(), context)

    def rows_at_once(self) -> int:
        """How many rows go through the net at once when much is evaluated."""
        length, features = (1, *self.shape)[-2:]
        return max(1, _CELLS // (length * max(features, 256)))

    def _shown(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Which values (B, T, D) of rows are shown to learn to complete them."""
        if x.shape[1] > 1:
            return hide_at_random(torch.ones_like(x, dtype=torch.bool), generator)
        share, each = (
            torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device)
            for shape in ((len(x), 1, 1), x.shape)
        )
        return each < share
