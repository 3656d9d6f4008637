"""How an energy-based model is made and trained; what it can do is in ``generative.energy``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from generative.batches import Batch, check_rows
from generative.chain import describe
from generative.coders import Dense, Network
from generative.data import check_positive
from generative.described import describe_part, part_from
from generative.gaussian_basis import GaussianBasis
from generative.latents import log_normal
from generative.networks import NETWORKS
from generative.neural import NeuralModel
from generative.objectives import ContrastiveDivergence, NoiseContrast, Objective, ScoreMatching
from generative.training import Moment, Training
from generative.transform import Transform

_ROWS = 20_000  # that the Gaussian part is fitted to


class Energetic(NeuralModel):
    """Net, loss and preparation of :class:`~generative.energy.EnergyModel`, which see.

    Attributes:
        chains: white rows (K, W) that contrastive divergence goes on from.
        log_normaliser: of the energy, in nats; empty until it is known.
    """

    chains: Tensor
    log_normaliser: Tensor
    training_defaults = Training(schedule="cosine")

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        objective: Objective | None = None,
        network: Network | None = None,
        least: float = 1e-4,
        temperatures: int = 0,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(preprocessing)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if len(self.shape) not in (1, 2, 3) or min(self.shape) < 1 or temperatures < 0:
            raise ValueError(
                f"An EnergyModel was given shape={self.shape} and temperatures={temperatures}; "
                "expected a width D, (T, D) or (C, H, W), each 1 or more, and 0 or more "
                "temperatures."
            )
        check_positive("An EnergyModel", least=least)
        self.objective = objective or NoiseContrast()
        self.network = network or Dense((128, 128), "silu")
        self.least, self.temperatures = least, temperatures
        self.encoder = self.network.encoder(self.shape, 0)
        self.head = nn.Linear(self.encoder.features, 1, bias=self.objective.normalised)
        nn.init.zeros_(self.head.weight)
        if self.objective.normalised:
            nn.init.zeros_(self.head.bias)
        self.basis = GaussianBasis()
        self.new_buffer("chains")
        self.new_buffer("log_normaliser")

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "shape": list(self.shape),
            "objective": describe_part(self.objective),
            "network": describe_part(self.network),
            "least": self.least,
            "temperatures": self.temperatures,
            "preprocessing": describe(self.preprocessing),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        objectives: tuple[type[Objective], ...] = (
            NoiseContrast,
            ContrastiveDivergence,
            ScoreMatching,
        )
        parts = {
            "objective": part_from(settings["objective"], objectives),
            "network": part_from(settings["network"], NETWORKS),
        }
        return super().from_settings({**settings, **parts})

    def check(self, batch: Batch) -> None:
        """Refuse rows of another shape, of several lengths, or with a context.

        Raises:
            ValueError: in one sentence.
        """
        check_rows(self, batch)
        if batch.context is not None or batch.lengths is not None:
            raise ValueError(
                "An EnergyModel takes no context and no lengths; fit one to each class with "
                "BayesClassifier, and cut windows of one length with cut_windows."
            )

    def before_fit(self, data: Batch) -> None:
        """Fit the Gaussian part, and start the chains that are kept."""
        fixed = torch.Generator(self.device).manual_seed(0)
        x = self.some_rows(data, _ROWS, fixed).x
        self.basis.fit(x.flatten(1)[:, None], self.least)
        size = (self.objective.chains, self.width)
        self.chains = torch.randn(size, generator=fixed, dtype=self.dtype, device=self.device)

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """That of the objective; in validation the chains stay where they are."""
        rows = self.white(batch.x)
        losses, kept = self.objective.loss(self.added, rows, self.chains, generator)
        if self.training:
            self.chains = kept
        return losses

    @property
    def width(self) -> int:
        """Over how many dimensions the density is, after preprocessing."""
        return math.prod(self.shape)

    def white(self, y: Tensor) -> Tensor:
        """White rows (B, W) of rows after preprocessing (B, *shape)."""
        return self.basis.white(y.flatten(1)[:, None])[:, 0]

    def added(self, white: Tensor) -> Tensor:
        """f (B,), what the net adds to the energy of white rows (B, W)."""
        f: Tensor = self.head(self.encoder(white.reshape(-1, *self.shape)))
        return f[:, 0]

    def white_energy(self, white: Tensor) -> Tensor:
        """Energy (B,) of white rows (B, W); without the net that of N(0, I)."""
        return self.added(white) - log_normal(white)

    def noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """Draws (n, W) of N(0, I), which is what white rows are without the net."""
        like = self._like
        size = (n, self.width)
        return torch.randn(size, generator=generator, dtype=like.dtype, device=like.device)

    def rows(self, white: Tensor) -> Tensor:
        """Rows (B, *shape) in units of the data."""
        rows = self.basis.coloured(white[:, None])[:, 0]
        return self.in_data_units(rows.reshape(-1, *self.shape))
