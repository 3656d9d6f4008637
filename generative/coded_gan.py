"""GANs with an encoder beside the generator: rows are coded, and told from their codes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from generative.adversaries import repeated
from generative.average import Average
from generative.batches import Batch
from generative.coders import Encoder, Network
from generative.data import Data, check_positive
from generative.games import Game, Techniques
from generative.gan import GAN
from generative.training import Moment
from generative.transform import Transform


class CodedGAN(GAN):
    """Base class: a third player, the encoder, learns which codes the generator makes rows of.

    The critic judges what is made of drawn codes and what is made of the codes of data alike. A
    subclass builds the encoder's last layer and says what its codes are, how much is lost on the
    way there and back, and what the encoder minimises. The encoder's weights are averaged like the
    generator's: codes drift while both learn, and the average of one would not fit the last of the
    other.

    Args:
        shape: of one row: D, (T, D) or (C, H, W).
        latent: Z, width of the codes, which are drawn from N(0, I).
        network: of generator, critic and encoder; ``Dense((256, 256), "leaky_relu")`` if not given.
        game: loss, penalties and turns; ``PLAIN`` if not given.
        techniques: what else steadies training.
        context: C, the width of what all players are given beside.
        fidelity: weight of what is lost, against what the critic says.
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range or the network cannot make such rows.
    """

    default_fidelity: ClassVar[float] = 1.0
    others: ClassVar[tuple[str, ...]] = ("encoder", "generator")

    def __init__(
        self,
        shape: int | Sequence[int],
        latent: int = 64,
        *,
        network: Network | None = None,
        game: Game | None = None,
        techniques: Techniques | None = None,
        context: int = 0,
        fidelity: float | None = None,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(
            shape,
            latent,
            network=network,
            game=game,
            techniques=techniques,
            context=context,
            preprocessing=preprocessing,
        )
        self.fidelity = self.default_fidelity if fidelity is None else fidelity
        check_positive(f"A {type(self).__name__}", fidelity=self.fidelity)
        encoder = self.network.encoder(self.shape, context)
        self.encoder = Coder(encoder, self.head(encoder.features))
        self.averages["encoder"] = Average(self.encoder, statistics=True)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return super().settings() | {"fidelity": self.fidelity}

    @abstractmethod
    def head(self, features: int) -> nn.Module:
        """The encoder's last layer, which maps features (B, F) to what is told of codes."""

    @abstractmethod
    def coded(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """Codes (B, Z) of data, as the generator gets them in training."""

    @abstractmethod
    def code(self, told: Any) -> Tensor:
        """The code (B, Z) that stands for each row, by what the encoder tells of it."""

    @abstractmethod
    def lost(self, batch: Batch, made: Tensor) -> Tensor:
        """How far rows made of the codes of data are from the data: a scalar."""

    @abstractmethod
    def encoder_loss(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """What the encoder minimises."""

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Critic, encoder and generator."""
        critic, generator = super().players().values()
        encoder = list(self.encoder.parameters())
        return {"critic": critic, "encoder": encoder, "generator": generator}

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "critic",
    ) -> dict[str, Tensor]:
        """What a player minimises."""
        if player == "encoder":
            return self.encoder_loss(batch, generator)
        return super().loss(batch, moment, generator, player)

    def generator_loss(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """How badly the critic is fooled, what techniques add, and what is lost."""
        fake = self.fakes(batch, generator)
        told = self.fooling(batch, fake)
        lost = self.lost(batch, fake[len(batch.x) :])
        return {**told, "loss": told["loss"] + self.fidelity * lost, "lost": lost}

    def fakes(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """What is made of drawn codes, and then of those of the data (2 B, *shape)."""
        with torch.no_grad():
            known = self.coded(batch, generator)
        z = torch.cat([self.codes_drawn(len(batch.x), generator), known])
        rows: Tensor = self.generator(z, repeated(batch.context, batch.x, z))
        return rows

    def codes(self, batch: Batch) -> Tensor:
        """The codes (B, Z), of data as the nets see them, by the averaged weights."""
        return self.code(self.averaged("encoder", batch))

    @torch.no_grad()
    def reconstruct(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """What the averaged generator makes (B, *shape) of the code of each row.

        Args:
            x: rows (B, *shape).
            context: (B, C), if the model is conditional.
            generator: for the preprocessing.
        """
        batch, _ = self.prepare(x, context, generator)
        made = [self.made(part._replace(x=self.codes(part))) for part in self.pieces(batch)]
        return self.in_data_units(torch.cat(made))


class Coder(nn.Module):
    """An encoder and its last layer.

    Args:
        body: maps rows (B, *shape) and a context to features (B, F).
        head: maps features to what is told of codes.
    """

    def __init__(self, body: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x: Tensor, context: Tensor | None = None) -> Any:
        """What is told of the codes of rows."""
        return self.head(self.body(x, context))
