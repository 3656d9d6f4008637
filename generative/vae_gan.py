"""Autoencoding beyond pixels: a VAE that measures errors by a critic's features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from generative.batches import Batch
from generative.coded_gan import CodedGAN
from generative.data import Data
from generative.latents import DiagonalGaussian, Posterior


class VAEGAN(CodedGAN):
    """A VAE whose decoder is a generator, and whose likelihood is of features (Larsen et al. 2016).

    The encoder minimises KL(q(z | x) || p(z)) and half the squared distance of the critic's
    features of a row and of what is made of its code; the generator ``fidelity`` times that
    distance, and fools the critic. Codes have the posteriors and the prior of a plain VAE.

    Takes the arguments of :class:`~generative.coded_gan.CodedGAN`.

    >>> from generative.coders import Dense
    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(256, 8, generator=g)
    >>> model = VAEGAN(8, 2, network=Dense((16,))).fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(3, g).shape, model.encode(x[:5]).mean.shape, model.reconstruct(x[:5]).shape
    (torch.Size([3, 8]), torch.Size([5, 2]), torch.Size([5, 8]))
    """

    def build(self, features: int) -> None:
        """Make the encoder's last layer."""
        self.head = DiagonalGaussian(self.latent).head(features)

    def posterior(self, batch: Batch) -> Posterior:
        """q(z | x) of data as the nets see them."""
        posterior: Posterior = self.head(self.encoder(batch.x, batch.context))
        return posterior

    def coded(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """A draw of each posterior."""
        return self.posterior(batch).sample(1, generator)[0][0]

    def codes(self, batch: Batch) -> Tensor:
        """Modes of the posteriors."""
        return self.posterior(batch).mode

    def lost(self, batch: Batch, made: Tensor) -> Tensor:
        """Half the squared distance of the critic's features: -log N(f(x); f(made), I)."""
        with torch.no_grad():
            wanted = self.critic.features(batch.x, batch.context)
        gap = self.critic.features(made, batch.context) - wanted
        return gap.square().sum(1).mean() / 2

    def encoder_loss(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """What is lost, and the divergence of the posteriors from the prior."""
        posterior = self.posterior(batch)
        z, log_q = posterior.sample(1, generator)
        lost = self.lost(batch, self.generator(z[0], batch.context))
        kl = posterior.kl(z, log_q).mean()
        return {"loss": lost + kl, "kl": kl}

    @torch.no_grad()
    def encode(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Distribution:
        """q(z | x): batch shape (B,), event shape (Z,); the generator is for the preprocessing."""
        return self.posterior(self.prepare(x, context, generator)[0]).distribution
