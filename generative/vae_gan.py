"""Autoencoding beyond pixels: a VAE that measures errors by a critic's features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from generative.batches import Batch
from generative.coded_gan import CodedGAN
from generative.data import Data
from generative.latents import DiagonalGaussian, Posterior

_LEAST = 1e-8  # variance of features


class VAEGAN(CodedGAN):
    """A VAE whose decoder is a generator, and whose likelihood is of features (Larsen et al. 2016).

    What is lost on the way to a code and back is the mean squared distance of the critic's
    features, over their variance in the batch: 1 is what the same row for all codes would lose.
    The encoder minimises -log p(features | z), Gaussian with that variance, and
    KL(q(z | x) || p(z)); the generator ``fidelity`` times what is lost, and fools the critic.

    Takes the arguments of :class:`~generative.coded_gan.CodedGAN`.

    >>> from generative.coders import Dense
    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(256, 8, generator=g)
    >>> model = VAEGAN(8, 2, network=Dense((16,))).fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(3, g).shape, model.encode(x[:5]).mean.shape, model.reconstruct(x[:5]).shape
    (torch.Size([3, 8]), torch.Size([5, 2]), torch.Size([5, 8]))
    """

    def head(self, features: int) -> nn.Module:
        """Means and variances."""
        return DiagonalGaussian(self.latent).head(features)

    def posterior(self, batch: Batch) -> Posterior:
        """q(z | x) of data as the nets see them."""
        posterior: Posterior = self.encoder(batch.x, batch.context)
        return posterior

    def coded(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """A draw of each posterior."""
        return self.posterior(batch).sample(1, generator)[0][0]

    def code(self, told: Posterior) -> Tensor:
        """Modes of the posteriors."""
        return told.mode

    def lost(self, batch: Batch, made: Tensor) -> Tensor:
        """Mean squared distance of the critic's features, over their variance."""
        with torch.no_grad():
            wanted = self.critic.features(batch.x, batch.context)
            variance = wanted.var(0, correction=0).mean()
        gap = self.critic.features(made, batch.context) - wanted
        return gap.square().mean() / variance.clamp(min=_LEAST)

    def encoder_loss(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """-log p(features | z) but for a constant, and the divergence from the prior, in nats."""
        posterior = self.posterior(batch)
        z, log_q = posterior.sample(1, generator)
        lost = self.lost(batch, self.generator(z[0], batch.context))
        kl = posterior.kl(z, log_q).mean()
        return {"loss": self.critic.encoder.features / 2 * lost + kl, "kl": kl}

    @torch.no_grad()
    def encode(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Distribution:
        """q(z | x): batch shape (B,), event shape (Z,); the generator is for the preprocessing."""
        posterior: Posterior = self.averaged("encoder", self.prepare(x, context, generator)[0])
        return posterior.distribution
