"""A GAN with an encoder and a critic for codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from generative.adversarial import discriminator_loss, generator_loss
from generative.batches import Batch
from generative.coded_gan import CodedGAN
from generative.coders import LeakyReLU
from generative.data import Data
from generative.nets import mlp
from generative.training import Moment

_HIDDEN = (128, 128)  # of the critic of codes


class AlphaGAN(CodedGAN):
    """An autoencoder whose codes and whose rows have to fool a critic each (Rosca et al. 2017).

    The code critic takes the place of a KL divergence: it tells codes of data from draws of
    N(0, I), and the encoder learns that it cannot. What is lost is the mean absolute error, and
    both encoder and generator minimise ``fidelity`` times it.

    Takes the arguments of :class:`~generative.coded_gan.CodedGAN`.

    >>> from generative.coders import Dense
    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(256, 8, generator=g)
    >>> model = AlphaGAN(8, 2, network=Dense((16,)))
    >>> model = model.fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(3, g).shape, model.encode(x[:5]).shape, model.reconstruct(x[:5]).shape
    (torch.Size([3, 8]), torch.Size([5, 2]), torch.Size([5, 8]))
    """

    default_fidelity = 10.0
    others = ("code critic", "encoder", "generator")

    def __init__(self, shape: int | Sequence[int], latent: int = 64, **settings: Any) -> None:
        super().__init__(shape, latent, **settings)
        self.code_critic = mlp(self.latent, _HIDDEN, 1, activation=LeakyReLU)

    def head(self, features: int) -> nn.Module:
        """Codes."""
        return nn.Linear(features, self.latent)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Both critics, encoder and generator."""
        critic, encoder, generator = super().players().values()
        codes = list(self.code_critic.parameters())
        return {"critic": critic, "code critic": codes, "encoder": encoder, "generator": generator}

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "critic",
    ) -> dict[str, Tensor]:
        """What a player minimises."""
        if player == "code critic":
            return self.code_critic_loss(batch, generator)
        return super().loss(batch, moment, generator, player)

    def coded(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """The codes."""
        z: Tensor = self.encoder(batch.x, batch.context)
        return z

    def code(self, told: Tensor) -> Tensor:
        """The same."""
        return told

    def lost(self, batch: Batch, made: Tensor) -> Tensor:
        """The mean absolute error."""
        return (batch.x - made).abs().mean()

    def encoder_loss(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """What is lost, and how badly the code critic is fooled."""
        z = self.coded(batch, generator)
        lost = self.lost(batch, self.generator(z, batch.context))
        fooling = generator_loss("bce", self.code_critic(z))
        return {"loss": self.fidelity * lost + fooling, "fooling": fooling}

    def code_critic_loss(
        self, batch: Batch, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """How badly draws of N(0, I), which count as real, are told from codes of data."""
        with torch.no_grad():
            codes = self.coded(batch, generator)
        drawn = self.codes_drawn(len(codes), generator)
        real, fake = self.code_critic(torch.cat([drawn, codes])).chunk(2)
        return {"loss": discriminator_loss("bce", real, fake)}

    @torch.no_grad()
    def encode(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes (B, Z) of rows; the generator is for the preprocessing."""
        return self.codes(self.prepare(x, context, generator)[0])
