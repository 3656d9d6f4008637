"""Variational autoencoders (Kingma & Welling 2014; Rezende et al. 2014)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from generative.batches import Batch
from generative.bounds import activity, importance_bound
from generative.coders import Dense, Network
from generative.data import Data
from generative.described import describe_part, part_from
from generative.encoder_decoder import EncoderDecoder
from generative.gibbs import complete
from generative.hyperspherical import Hypersphere
from generative.inverse_autoregressive import InverseAutoregressive
from generative.latents import DiagonalGaussian, Latent, Posterior
from generative.likelihoods import Bernoulli, Likelihood
from generative.training import Moment, Training
from generative.transform import Transform

_log = logging.getLogger("generative")
_ACTIVE = 0.01  # Burda et al. (2016), §5.2
_ROWS = 2000  # that the number of active latents is estimated from


class VAE(EncoderDecoder):
    """p(x) = ∫ p(x | z) p(z) dz, learned together with q(z | x) by the evidence lower bound.

    ``elbo`` and ``log_prob_is`` bound the log-density from below, in units of the data; the
    density itself is not known. ``encode`` and ``decode`` give distributions, ``decode`` that of
    data after preprocessing; everything else speaks in units of the data.

    Args:
        shape: of one row: D, or (C, H, W).
        latent: prior and posteriors; a number is the width of a diagonal Gaussian.
        likelihood: p(x | z); Bernoulli if not given.
        network: encoder and decoder; ``Dense()`` if not given.
        context: C, the width of what the model is conditioned on; 0 for nothing.
        beta: weight of the KL divergence in the loss (Higgins et al. 2017); 1 is the bound.
        warm_up: epochs in which that weight rises from 0 (Bowman et al. 2016).
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range or the network cannot take such rows.

    >>> g = torch.Generator().manual_seed(0)
    >>> x = (torch.rand(256, 8, generator=g) < 0.3).float()
    >>> model = VAE(8, 2, network=Dense((16,))).fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(3, g).shape, model.elbo(x[:5], generator=g).shape
    (torch.Size([3, 8]), torch.Size([5]))
    >>> model.encode(x[:5]).mean.shape
    torch.Size([5, 2])
    """

    latents: ClassVar[tuple[type[Latent], ...]] = (
        DiagonalGaussian,
        InverseAutoregressive,
        Hypersphere,
    )
    default_latent: ClassVar[type[Latent]] = DiagonalGaussian
    training_defaults = Training(schedule="cosine")

    def __init__(
        self,
        shape: int | Sequence[int],
        latent: int | Latent = 20,
        *,
        likelihood: Likelihood | None = None,
        network: Network | None = None,
        context: int = 0,
        beta: float = 1.0,
        warm_up: int = 0,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(
            shape, likelihood or Bernoulli(), network or Dense(), context, preprocessing
        )
        if not (beta >= 0 and warm_up >= 0):
            raise ValueError(
                f"A VAE was given beta={beta} and warm_up={warm_up}; neither may be negative."
            )
        self.latent = self.default_latent(latent) if isinstance(latent, int) else latent
        self.beta, self.warm_up = beta, warm_up
        self.build(self.latent.width)
        self.head = self.latent.head(self.encoder.features)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        mine = {"latent": describe_part(self.latent), "beta": self.beta, "warm_up": self.warm_up}
        return super().settings() | mine

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        latent = part_from(settings["latent"], cls.latents)
        return super().from_settings({**settings, "latent": latent})

    def posterior(self, batch: Batch) -> Posterior:
        """q(z | x) of data as the nets see them."""
        posterior: Posterior = self.head(self.encoder(batch.x, batch.context))
        return posterior

    def codes(self, batch: Batch) -> Tensor:
        """Modes (B, Z) of the posteriors."""
        return self.posterior(batch).mode

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """Minus the evidence lower bound, its KL part weighted, by one draw a row."""
        posterior = self.posterior(batch)
        z, log_q = posterior.sample(1, generator)
        nll = -self.log_likelihood(z, batch).mean()
        kl = posterior.kl(z, log_q).mean()
        loss = nll + self.kl_weight(moment) * kl
        return {"loss": loss, "nll": nll, "kl": kl, **posterior.metrics()}

    def kl_weight(self, moment: Moment) -> float:
        """The weight of the KL divergence at a step."""
        rise = self.warm_up * moment.steps_per_epoch
        return self.beta * min(1.0, moment.step / rise) if rise else self.beta

    def after_fit(self, data: Batch) -> None:
        """Tell in the log how many latent variables the model uses."""
        active = int((self.activity(data.x[:_ROWS], _some(data.context)) > _ACTIVE).sum())
        told = f"{active} of {self.latent.width} latent variables are active"
        if active:
            _log.info("%s.", told)
        else:
            _log.warning(
                "%s: the posterior has collapsed to the prior and the decoder ignores z; "
                "try warm_up, a smaller beta or a weaker decoder.",
                told,
            )

    @torch.no_grad()
    def activity(self, x: Data, context: Data | None = None) -> Tensor:
        """How much each latent variable tells of the data (Z,): the variance of E[z | x] over rows.

        A variable counts as active above 0.01 (Burda et al. 2016, §5.2).
        """
        noise = torch.Generator(self.device).manual_seed(0)
        batch, _ = self.prepare(x, context, noise)
        return activity(torch.cat([self.posterior(part).mean for part in self.pieces(batch)]))

    @torch.no_grad()
    def elbo(
        self,
        x: Data,
        context: Data | None = None,
        *,
        draws: int = 1,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Evidence lower bound (B,), in nats and in units of the data, by some draws a row.

        Args:
            x: rows (B, *shape).
            context: (B, C), if the model is conditional.
            draws: of z for each row.
            generator: source of the draws.
        """
        batch, log_det = self.prepare(x, context, generator)
        bounds = []
        for part in self.pieces(batch):
            posterior = self.posterior(part)
            pairs = [posterior.sample(1, generator) for _ in range(draws)]
            each = [self.log_likelihood(z, part)[0] - posterior.kl(z, q) for z, q in pairs]
            bounds.append(torch.stack(each).mean(0))
        return torch.cat(bounds) + log_det

    @torch.no_grad()
    def log_prob_is(
        self,
        x: Data,
        k: int = 100,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Importance-weighted bound (B,) on log p(x), in nats and in units of the data.

        Tighter than ``elbo``, and the more so the larger k (Burda et al. 2016, theorem 1).

        Args:
            x: rows (B, *shape).
            k: draws of z for each row.
            context: (B, C), if the model is conditional.
            generator: source of the draws.

        Raises:
            ValueError: if k is below 1 or the data do not fit.
        """
        batch, log_det = self.prepare(x, context, generator)

        def log_weights(part: Batch, n: int) -> Tensor:
            z, log_q = self.posterior(part).sample(n, generator)
            return self.log_likelihood(z, part) + self.latent.log_prior(z) - log_q

        return importance_bound(log_weights, batch, k, self.rows_at_once()) + log_det

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

    @torch.no_grad()
    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        context: Data | None = None,
        *,
        means: bool = False,
    ) -> Tensor:
        """Draw rows (n, *shape): z from the prior, then x.

        Args:
            n: how many.
            generator: source of the draws.
            context: (n, C), if the model is conditional.
            means: give E[x | z] in place of a draw, which is what pictures often show.
        """
        self.check_fitted()
        given = self.context_rows(context, n)
        z = self.latent.sample_prior(n, next(self.parameters()), generator)
        outputs = self.outputs(z[None], given)[0]
        rows = self.likelihood.mean(outputs) if means else self.likelihood.draw(outputs, generator)
        return self.in_data_units(rows)

    @torch.no_grad()
    def impute(
        self,
        x: Data,
        mask: Data,
        context: Data | None = None,
        *,
        steps: int = 100,
        draw: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Complete rows (B, *shape) by chains that converge to p(hidden | observed).

        See :func:`generative.gibbs.complete`. Hidden values become their mean, in units after
        preprocessing and mapped back; or with ``draw`` the last state of their chain.

        Args:
            x: rows; hidden values may be anything.
            mask: (B, *shape), True where a value is observed.
            context: (B, C), if the model is conditional.
            steps: of each chain; the mean is over the second half.
            draw: give a draw in place of the mean.
            generator: source of the draws.

        Raises:
            ValueError: if mask, rows or steps cannot be used, or the preprocessing mixes
                dimensions.
        """
        if steps < 2:
            raise ValueError(f"impute was given steps={steps}; give 2 or more.")
        data, seen, batch, here = self.prepare_holes(x, mask, context, generator)
        mean, last = complete(self, batch, here, steps, generator)
        return torch.where(seen, data, self.in_data_units(last if draw else mean))


def _some(context: Tensor | None) -> Tensor | None:
    return None if context is None else context[:_ROWS]
