"""How a variational autoencoder of sequences is made and trained; what it can do is elsewhere."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from generative.autoregression import AutoregressiveNoise
from generative.batches import Batch, check_context
from generative.bounds import activity
from generative.chain import describe
from generative.data import check_positive, within
from generative.latents import DiagonalGaussian, GaussianPosterior, Posterior, log_normal
from generative.mixture import GaussianMixture
from generative.neural import NeuralModel
from generative.recurrent import SequenceDecoder, SequenceEncoder
from generative.training import Moment, Training
from generative.transform import Transform
from generative.windows import hide_at_random

_log = logging.getLogger("generative")
_ACTIVE = 0.01  # Burda et al. (2016), §5.2
_ROWS = 5000  # that prior and noise are fitted to
_CELLS = 1 << 22  # numbers that the nets hold at once when much is evaluated


class Windows(NamedTuple):
    """Windows as the nets see them, all of the longest length.

    Attributes:
        x: (B, T, D), anything finite where not seen.
        seen: (B, T, D), what the encoder looks at.
        valid: (B, T), steps within the lengths.
        context: (B, C).
    """

    x: Tensor
    seen: Tensor
    valid: Tensor
    context: Tensor | None


class SequenceModel(NeuralModel):
    """Nets, loss and second stage of :class:`~generative.sequence_vae.SequenceVAE`, which see."""

    training_defaults = Training(schedule="cosine")

    def __init__(
        self,
        features: int,
        steps: int,
        latent: int = 32,
        *,
        hidden: int = 128,
        context: int = 0,
        components: int = 16,
        warm_up: int = 0,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(preprocessing)
        name = type(self).__name__
        check_positive(f"A {name}", features=features, steps=steps, hidden=hidden)
        if min(context, components, warm_up) < 0:
            raise ValueError(
                f"A {name} was given context={context}, components={components} and "
                f"warm_up={warm_up}; none may be negative."
            )
        self.features, self.steps, self.hidden = features, steps, hidden
        self.context, self.components, self.warm_up = context, components, warm_up
        self.latent = DiagonalGaussian(latent)
        self.encoder = SequenceEncoder(features, steps, hidden, context)
        self.head = self.latent.head(self.encoder.features)
        self.decoder = SequenceDecoder(latent, features, steps, hidden, context)
        self.noise = AutoregressiveNoise(features)
        self.prior = GaussianMixture(max(components, 1))

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "features": self.features,
            "steps": self.steps,
            "latent": self.latent.width,
            "hidden": self.hidden,
            "context": self.context,
            "components": self.components,
            "warm_up": self.warm_up,
            "preprocessing": describe(self.preprocessing),
        }

    def check(self, batch: Batch) -> None:
        """Refuse windows that are too long or of another width, or a context that does not fit.

        Raises:
            ValueError: in one sentence.
        """
        name, shape = type(self).__name__, tuple(batch.x.shape)
        if len(shape) != 3 or shape[2] != self.features:
            raise ValueError(
                f"Windows have the shape {shape} after preprocessing; this {name} was made for "
                f"(B, T, {self.features})."
            )
        if shape[1] > self.steps:
            raise ValueError(
                f"Windows of {shape[1]} steps were given and this {name} was made for up to "
                f"{self.steps}; cut them with cut_windows(episodes, {self.steps}), or make the "
                "model for longer ones."
            )
        check_context(self, batch.context, len(batch.x))

    def windows(self, batch: Batch) -> Windows:
        """Data after preprocessing, filled up to the longest length with what is not seen."""
        rows, steps = batch.x.shape[:2]
        lengths = batch.lengths
        if lengths is None:
            lengths = torch.full((rows,), steps, device=batch.x.device)
        valid = within(lengths, self.steps)
        x = F.pad(batch.x, (0, 0, 0, self.steps - steps))
        return Windows(x, valid[..., None].expand_as(x), valid, batch.context)

    def posterior(self, windows: Windows) -> Posterior:
        """q(z | what is seen)."""
        features = self.encoder(windows.x, windows.seen, windows.context)
        posterior: Posterior = self.head(features)
        return posterior

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """The bound with independent noise, its sizes, and what is learned from hidden parts."""
        windows = self.windows(batch)
        x, seen = windows.x, windows.seen
        posterior = self.posterior(windows)
        z, log_q = posterior.sample(1, generator)
        path, std = self.decoder(z[0], windows.context)
        usual = self.decoder.usual_std()
        nll = _nll(x, path, usual, seen)
        kl = posterior.kl(z, log_q).mean()
        sizes = _nll(x, path.detach(), std, seen)
        part = self.posterior(windows._replace(seen=hide_at_random(seen, generator)))
        guess, _ = self.decoder(part.mode, windows.context)
        hidden = _nll(x, guess, usual.detach(), seen) + _distance(posterior, part)
        loss = nll + self.kl_weight(moment) * kl + sizes + hidden
        return {"loss": loss, "nll": nll, "kl": kl, "sizes": sizes, "hidden": hidden}

    def kl_weight(self, moment: Moment) -> float:
        """The weight of the KL divergence at a step."""
        rise = self.warm_up * moment.steps_per_epoch
        return min(1.0, moment.step / rise) if rise else 1.0

    def after_fit(self, data: Batch) -> None:
        """Fit the prior to codes and the memory of the noise to residuals; tell who is active."""
        generator = torch.Generator(self.device).manual_seed(0)
        batch = self.some_rows(data, _ROWS, generator)
        found: list[tuple[Tensor, ...]] = []
        for part in self.pieces(batch):
            windows = self.windows(part)
            posterior = self.posterior(windows)
            z = posterior.sample(1, generator)[0][0]
            path, std = self.decoder(z, windows.context)
            found.append((posterior.mean, z, windows.x - path, std, windows.valid))
        means, z, residuals, std, valid = (torch.cat(each) for each in zip(*found, strict=True))
        self.noise.fit(residuals, std, valid)
        if self.components:
            count = min(self.components, len(z))
            mixture = GaussianMixture(count, regularisation=1e-3).to(self.device)
            self.prior = mixture.fit(z, generator=generator)
        self._tell(int((activity(means) > _ACTIVE).sum()))

    def log_prior(self, z: Tensor) -> Tensor:
        """log p(z) (...) of codes (..., Z)."""
        if not self.components:
            return log_normal(z)
        return self.prior.log_prob(z.flatten(0, -2)).view(z.shape[:-1])

    def log_likelihood(self, z: Tensor, windows: Windows) -> Tensor:
        """log p(x | z) (n, B) for n codes (n, B, Z) of each window, of the steps that count."""
        n = len(z)
        context = windows.context
        context = None if context is None else context.repeat(n, 1)
        path, std = self.decoder(z.flatten(0, 1), context)
        residuals = windows.x.repeat(n, 1, 1) - path
        return self.noise.log_prob(residuals, std, windows.valid.repeat(n, 1)).view(n, -1)

    def log_weights(self, batch: Batch, n: int, generator: torch.Generator | None) -> Tensor:
        """log p(x | z) + log p(z) - log q(z | x) (n, B), z from q."""
        windows = self.windows(batch)
        z, log_q = self.posterior(windows).sample(n, generator)
        return self.log_likelihood(z, windows) + self.log_prior(z) - log_q

    def rows_at_once(self) -> int:
        """How many windows the nets can take when much is evaluated."""
        return max(1, _CELLS // (self.steps * (4 * self.hidden + 2 * self.features)))

    def _tell(self, active: int) -> None:
        told = f"{active} of {self.latent.width} latent variables are active"
        if active:
            _log.info("%s.", told)
        else:
            _log.warning(
                "%s: the posterior has collapsed to the prior and the decoder ignores z; "
                "try warm_up, more epochs or data that vary more.",
                told,
            )


def _nll(x: Tensor, path: Tensor, std: Tensor, seen: Tensor) -> Tensor:
    """Mean over windows of -log N(x; path, std²), of what is seen (B, T, D)."""
    noise = Normal(path, std.expand_as(path), validate_args=False)
    each = noise.log_prob(x)  # type: ignore[no-untyped-call]
    return -torch.where(seen, each, 0).sum((1, 2)).mean()


def _distance(whole: Posterior, part: Posterior) -> Tensor:
    """Mean of KL(q(z | x) || q(z | a part of x)), of which only the second can change."""
    fixed = GaussianPosterior(whole.mean.detach(), whole.distribution.stddev.detach())
    return kl_divergence(fixed.distribution, part.distribution).mean()
