"""How a diffusion model is made and trained; what it can do is in ``generative.diffusion``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from generative.batches import Batch, check_context, check_rows
from generative.chain import describe
from generative.denoisers import Denoiser, Mixer, Perceptron
from generative.described import describe_part, part_from
from generative.gaussian_basis import GaussianBasis
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
        x: (B, T, D), anything finite where not seen.
        seen: (B, T, D), True where a value is known.
        context: (B, C).
    """

    x: Tensor
    seen: Tensor
    context: Tensor | None

    def at(self, rows: slice) -> Known:
        """The same of some rows."""
        context = None if self.context is None else self.context[rows]
        return Known(self.x[rows], self.seen[rows], context)


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

        The share ``parts`` of the rows show a random part of themselves, half of them beside the
        largest noise: that is where ``impute`` asks what is hidden.
        """
        x = self.windows(batch.x)
        ratio = self.noise.ratio(spread_evenly(len(x), x, generator), self.clock)
        seen = self._shown(x, generator)
        if self.parts:
            asked = torch.rand(len(x), generator=generator, dtype=x.dtype, device=x.device) < 0.5
            asked &= seen.any(2).any(1)
            ratio = torch.where(asked, self.noise.most, ratio)
        return {"loss": self.errors(Known(x, seen, batch.context), ratio, generator).mean()}

    def errors(self, known: Known, ratio: Tensor, generator: torch.Generator | None) -> Tensor:
        """How badly rows (B,) are told from noise, with gradients.

        The mean over what is not seen of (x - E[x | noisy])² (1 + ratio²) / ratio², in units of
        the data's spread: where the signal shrinks as noise grows, this is the error of the
        velocity (Salimans & Ho 2022, appendix D), which is about as large at all levels.

        Args:
            known: rows, and which of their values the net is told.
            ratio: of noise to signal (B,).
            generator: source of the noise.
        """
        x = known.x
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        std = ratio * self.basis.scale
        noisy = known.x + std[:, None, None] * noise
        error = known.x - self.estimate(noisy, std, known)
        weight = (1 + ratio.square()) / std.square()
        return weight * torch.where(known.seen, 0, error.square()).mean((1, 2))

    def estimate(self, noisy: Tensor, std: Tensor, known: Known) -> Tensor:
        """E[x | noisy, known] (B, T, D), of rows after preprocessing with noise of std (B,)."""
        width = std[:, None, None]
        narrowed = self.basis.narrowed(noisy, width)
        guess = self.basis.guess(narrowed, width)
        return self.basis.estimate(guess, width, self.added(narrowed, guess, std, known))

    def added(self, narrowed: Tensor, guess: Tensor, std: Tensor, known: Known) -> Tensor:
        """What the net adds to the Gaussian's estimate, along the axes (B, T, D).

        The net sees noisy rows with all axes alike, and as the Gaussian's estimate. It says where
        rows lie on the axes that noise has not covered, from which the Gaussian's part is taken:
        the rest alone is uncorrelated with all that is seen, so nothing would tell the net on which
        of many axes there is anything to learn.

        Args:
            narrowed: coordinates of noisy rows, see :meth:`GaussianBasis.narrowed`.
            guess: what the rows would be if the data were Gaussian (B, T, D).
            std: of their noise (B,).
            known: what the net is told beside them.
        """
        beside = [(guess - self.basis.mean) / self.basis.std]
        if self.parts:
            values = (known.x - self.basis.mean) / self.basis.std
            beside += [torch.where(known.seen, values, 0), known.seen.to(values)]
        level = (std / self.basis.scale).log()
        white = self.basis.back(narrowed)
        out = self.net(white, level, torch.cat(beside, 2), known.context)
        return self.basis.along(out) - self.basis.share(std[:, None, None]) * narrowed

    def std(self, ratio: float, rows: int) -> Tensor:
        """Standard deviations (B,) of noise of one ratio to the spread of the data."""
        return (ratio * self.basis.scale).expand(rows)

    def windows(self, x: Tensor) -> Tensor:
        """Rows as windows (B, T, D); vectors have one step."""
        return x[:, None] if x.dim() == 2 else x

    def unseen(self, x: Tensor, context: Tensor | None) -> Known:
        """That nothing is known of rows (B, T, D) but their context."""
        return Known(x, torch.zeros_like(x, dtype=torch.bool), context)

    def rows_at_once(self) -> int:
        """How many rows go through the net at once when much is evaluated."""
        length, features = (1, *self.shape)[-2:]
        return max(1, _CELLS // (length * max(features, 256)))

    def _shown(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Which values (B, T, D) of the rows are shown while the model learns."""
        whole = torch.ones_like(x, dtype=torch.bool)
        if not self.parts:
            return ~whole

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device)

        if x.shape[1] > 1:
            left = hide_at_random(whole, generator)
        else:
            left = uniform(*x.shape) < uniform(len(x), 1, 1)
        return left & (uniform(len(x), 1, 1) < self.parts)
