"""Autoencoders: plain, denoising and sparse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from generative.batches import Batch
from generative.coders import Dense, Network
from generative.data import Data, check_positive
from generative.described import describe_part, part_from
from generative.encoder_decoder import EncoderDecoder
from generative.likelihoods import Gaussian, Likelihood
from generative.mixture import GaussianMixture
from generative.training import Moment, Training
from generative.transform import Transform

_COMPONENTS = 10  # of the mixture that codes are drawn from
_ROWS = 20_000  # whose codes it is fitted to, at most


@dataclass(frozen=True)
class Corruption:
    """What a denoising autoencoder has to undo (Vincent et al. 2010, §3.3).

    >>> Corruption(masked=1.0)(torch.ones(2, 3)).sum()
    tensor(0.)
    """

    noise: float = 0.0
    """Standard deviation of Gaussian noise, after preprocessing."""
    masked: float = 0.0
    """Share of values that become 0."""

    def __post_init__(self) -> None:
        if not (self.noise >= 0 and 0 <= self.masked <= 1):
            raise ValueError(
                f"Corruption was given noise={self.noise} and masked={self.masked}; expected a "
                "deviation of 0 or more and a share between 0 and 1."
            )

    def __call__(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The corrupted data."""
        if self.noise:
            noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
            x = x + self.noise * noise
        if self.masked:
            keep = torch.rand(x.shape, generator=generator, device=x.device) >= self.masked
            x = x * keep
        return x


@dataclass(frozen=True)
class Sparsity:
    """A price for codes in (0, 1) whose mean over a batch is not small (Lee et al. 2008).

    Args:
        weight: of the penalty, in nats a code.
        target: the mean that costs nothing.

    >>> Sparsity(target=0.25).penalty(torch.tensor([[0.0], [0.5]]))
    tensor(0.)
    """

    weight: float = 1.0
    target: float = 0.05

    def __post_init__(self) -> None:
        check_positive("Sparsity", weight=self.weight)
        if not 0 < self.target < 1:
            raise ValueError(f"Sparsity was given target={self.target}; expected it in (0, 1).")

    def penalty(self, codes: Tensor) -> Tensor:
        """Σ KL(target || mean) of Bernoulli distributions, over codes (B, Z)."""
        mean = codes.mean(0).clamp(1e-6, 1 - 1e-6)
        target = torch.full_like(mean, self.target)
        ones = target * (target.log() - mean.log())
        zeros = (1 - target) * ((1 - target).log() - (1 - mean).log())
        return self.weight * (ones + zeros).sum()


class Autoencoder(EncoderDecoder):
    """Codes of data from which a decoder tells the data: z = f(x), x̂ = E[x | z].

    The loss is -log p(x | f(x)), with a Gaussian likelihood half the squared error. It is no
    density of x. To sample, codes are drawn from a mixture of ten Gaussians that is fitted to the
    codes of the training data (Ghosh et al. 2020, §4).

    Args:
        shape: of one row: D, or (C, H, W).
        width: Z, of the codes.
        likelihood: p(x | z), after preprocessing; Gaussian if not given.
        network: encoder and decoder; ``Dense()`` if not given.
        context: C, the width of what both nets are given beside; 0 for nothing.
        corruption: of what the encoder sees while it learns; then it is a denoising autoencoder.
        sparsity: of the codes, which are then in (0, 1).
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range or the network cannot take such rows.

    >>> from generative.coders import Dense
    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(256, 8, generator=g)
    >>> model = Autoencoder(8, 2, network=Dense((16,)))
    >>> model = model.fit(x, training=Training(epochs=2), generator=g)
    >>> model.encode(x[:5]).shape, model.reconstruct(x[:5]).shape, model.sample(3, g).shape
    (torch.Size([5, 2]), torch.Size([5, 8]), torch.Size([3, 8]))
    """

    training_defaults = Training(schedule="cosine")

    def __init__(
        self,
        shape: int | Sequence[int],
        width: int = 20,
        *,
        likelihood: Likelihood | None = None,
        network: Network | None = None,
        context: int = 0,
        corruption: Corruption | None = None,
        sparsity: Sparsity | None = None,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(
            shape, likelihood or Gaussian(), network or Dense(), context, preprocessing
        )
        check_positive("An Autoencoder", width=width)
        self.width, self.sparsity = width, sparsity
        self.corruption = corruption or Corruption()
        self.build(width)
        self.head = nn.Linear(self.encoder.features, width)
        self.mixture = GaussianMixture(_COMPONENTS)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        sparsity = None if self.sparsity is None else describe_part(self.sparsity)
        mine = {"width": self.width, "corruption": describe_part(self.corruption)}
        return super().settings() | mine | {"sparsity": sparsity}

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        given = settings["sparsity"]
        parts = {
            "corruption": part_from(settings["corruption"], (Corruption,)),
            "sparsity": None if given is None else part_from(given, (Sparsity,)),
        }
        return super().from_settings({**settings, **parts})

    def codes(self, batch: Batch) -> Tensor:
        """Codes (B, Z) of data as the nets see them."""
        z: Tensor = self.head(self.encoder(batch.x, batch.context))
        return z if self.sparsity is None else z.sigmoid()

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """-log p(x | z) of the codes of corrupted data, and the price of codes that are not sparse.

        In validation nothing is corrupted.
        """
        seen = self.corruption(batch.x, generator) if self.training else batch.x
        z = self.codes(batch._replace(x=seen))
        nll = -self.log_likelihood(z[None], batch).mean()
        if self.sparsity is None:
            return {"loss": nll}
        penalty = self.sparsity.penalty(z)
        return {"loss": nll + penalty, "nll": nll, "penalty": penalty}

    def after_fit(self, data: Batch) -> None:
        """Fit the mixture that codes are drawn from."""
        noise = torch.Generator(self.device).manual_seed(0)
        batch, _ = self.preprocessed(data.at(slice(_ROWS)), noise)
        z = torch.cat([self.codes(part) for part in self.pieces(batch)])
        mixture = GaussianMixture(min(_COMPONENTS, len(z)), regularisation=1e-6)
        self.mixture = mixture.to(self.device).fit(z, generator=noise)

    @torch.no_grad()
    def encode(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Codes (B, Z) of rows; the generator is for the preprocessing."""
        batch, _ = self.prepare(x, context, generator)
        return torch.cat([self.codes(part) for part in self.pieces(batch)])

    @torch.no_grad()
    def sample(
        self, n: int, generator: torch.Generator | None = None, context: Data | None = None
    ) -> Tensor:
        """Rows (n, *shape), without noise, of codes that are drawn like those of the data."""
        self.check_fitted()
        z = self.mixture.sample(n, generator)
        outputs = self.outputs(z[None], self.context_rows(context, n))[0]
        return self.in_data_units(self.likelihood.mean(outputs))

    @torch.no_grad()
    def impute(self, x: Data, mask: Data, context: Data | None = None) -> Tensor:
        """Complete rows (B, *shape) with one that learned with masked values.

        What is hidden becomes 0 after preprocessing, as it was in training, where the best answer
        to that is the mean of what is hidden given the rest. Going round again with what came out
        is no better: the nets have never seen such rows, and it can run away.

        Args:
            x: rows; hidden values may be anything.
            mask: (B, *shape), True where a value is observed.
            context: (B, C), if the model is conditional.

        Raises:
            ValueError: if mask or rows cannot be used, nothing was masked in training, or the
                preprocessing mixes dimensions.
        """
        if not self.corruption.masked:
            raise ValueError(
                "impute needs an autoencoder that learned with masked values; make it with "
                "corruption=Corruption(masked=0.3), say, or use a VAE."
            )
        fixed = torch.Generator(self.device).manual_seed(0)
        data, seen, batch, here = self.prepare_holes(x, mask, context, fixed)
        told = self.told(batch._replace(x=torch.where(here, batch.x, 0)))
        return torch.where(seen, data, self.in_data_units(told))
