"""A variational autoencoder of windows of sequences, with LSTM encoder and decoder."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal
from torch.nn import functional as F

from generative.batches import Batch, chunks
from generative.bounds import activity, importance_bound
from generative.data import Data, check_mask
from generative.prepared import Lengths
from generative.sequence_model import SequenceModel, Windows


class SequenceVAE(SequenceModel):
    """p(x) = ∫ p(z) p(x | z) dz for windows x of up to T steps, with one code z for each.

    The decoder gives a path, around which x is noise that remembers the step before
    (:class:`~generative.autoregression.AutoregressiveNoise`). Learned together are

    - codes and paths, by the bound of a plain VAE whose noise is independent and of one size in
      each dimension;
    - the size of the noise at each step, by its likelihood given the paths;
    - q(z | what is seen) where parts of a window are hidden: it comes close to q(z | x) of the
      whole window (Harvey et al. 2022, eq. 5), and the path of its mode to the whole window.

    Then the prior, a mixture of Gaussians, is fitted to the codes (Ghosh et al. 2020, §4) and the
    memory of the noise to the residuals. ``elbo`` and ``log_prob_is`` bound the log-density of
    the model with this prior and this noise, the one that ``sample`` draws from.

    Args:
        features: D of a step, after preprocessing.
        steps: T of the longest window.
        latent: Z, width of the code.
        hidden: units of the LSTMs.
        context: C, the width of what the model is conditioned on; 0 for nothing.
        components: of the prior; 0 for N(0, I).
        warm_up: epochs in which the weight of the KL divergence rises from 0 to 1.
        preprocessing: of steps, fitted to those of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range.

    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> time = torch.arange(8.0) + 6 * torch.rand(64, 1, generator=g)
    >>> x = torch.stack([time.sin(), time.cos()], 2)  # (64, 8, 2)
    >>> model = SequenceVAE(2, 8, latent=3, hidden=8, components=2)
    >>> model = model.fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(3, g).shape, model.predict(x[:, :5], 3).shape, model.elbo(x).shape
    (torch.Size([3, 8, 2]), torch.Size([64, 3, 2]), torch.Size([64]))
    """

    @torch.no_grad()
    def elbo(
        self,
        x: Data,
        context: Data | None = None,
        *,
        lengths: Lengths | None = None,
        draws: int = 1,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Evidence lower bound (B,) on log p(x), in nats a window and in units of the data.

        Args:
            x: windows (B, T, D).
            context: (B, C), if the model is conditional.
            lengths: (B,), how many of the T steps count.
            draws: of z for each window.
            generator: source of the draws.
        """
        batch, log_det = self.prepare(x, context, generator, lengths=lengths)
        parts = chunks(batch, max(1, self.rows_at_once() // draws))
        bounds = [self.log_weights(part, draws, generator).mean(0) for part in parts]
        return torch.cat(bounds) + log_det

    @torch.no_grad()
    def log_prob_is(
        self,
        x: Data,
        k: int = 100,
        context: Data | None = None,
        *,
        lengths: Lengths | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Importance-weighted bound (B,) on log p(x), tighter than ``elbo`` (Burda et al. 2016).

        Args:
            x: windows (B, T, D).
            k: draws of z for each window.
            context: (B, C), if the model is conditional.
            lengths: (B,), how many of the T steps count.
            generator: source of the draws.

        Raises:
            ValueError: if k is below 1 or the data do not fit.
        """
        batch, log_det = self.prepare(x, context, generator, lengths=lengths)

        def weights(part: Batch, n: int) -> Tensor:
            return self.log_weights(part, n, generator)

        return importance_bound(weights, batch, k, self.rows_at_once()) + log_det

    @torch.no_grad()
    def encode(
        self, x: Data, context: Data | None = None, *, lengths: Lengths | None = None
    ) -> Distribution:
        """q(z | x): batch shape (B,), event shape (Z,)."""
        batch, _ = self.prepare(x, context, lengths=lengths)
        found = [self.posterior(self.windows(part)).distribution for part in self.pieces(batch)]
        means = torch.cat([each.mean for each in found])
        stds = torch.cat([each.stddev for each in found])
        return Independent(Normal(means, stds, validate_args=False), 1, validate_args=False)

    @torch.no_grad()
    def decode(self, z: Data, context: Data | None = None) -> Distribution:
        """Each value of the window given z, after preprocessing: (B,) of events (T, D).

        These are the marginals; that noise at one step goes with that at the next, and noise of
        one dimension with that of another, is in ``sample`` and ``elbo``.

        Args:
            z: codes (B, Z).
            context: (B, C), if the model is conditional.
        """
        self.check_fitted()
        codes = torch.as_tensor(z).to(self._like)
        path, std = self.decoder(codes, self.context_rows(context, len(codes)))
        marginals = Normal(path, self.noise.marginal_std(std), validate_args=False)
        return Independent(marginals, 2, validate_args=False)

    @torch.no_grad()
    def reconstruct(
        self, x: Data, context: Data | None = None, *, lengths: Lengths | None = None
    ) -> Tensor:
        """Paths (B, T, D) of the modes of q(z | x); 0 beyond the lengths."""
        batch, _ = self.prepare(x, context, lengths=lengths)
        paths = []
        for part in self.pieces(batch):
            windows = self.windows(part)
            paths.append(self.decoder(self.posterior(windows).mode, windows.context)[0])
        steps = batch.x.shape[1]
        path = self.in_data_units(torch.cat(paths)[:, :steps])
        return torch.where(self.windows(batch).valid[:, :steps, None], path, 0)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        context: Data | None = None,
        *,
        steps: int | None = None,
        means: bool = False,
    ) -> Tensor:
        """Draw windows (n, T, D).

        Args:
            n: how many.
            generator: source of the draws.
            context: (n, C), if the model is conditional.
            steps: T; by default that of the longest window.
            means: draw z but no noise.

        Raises:
            ValueError: if a window cannot have as many steps.
        """
        self.check_fitted()
        steps = self.steps if steps is None else steps
        if n < 1 or not 1 <= steps <= self.steps:
            raise ValueError(
                f"sample was asked for {n} windows of {steps} steps; give 1 or more windows, of "
                f"the 1 to {self.steps} steps that this SequenceVAE was made for."
            )
        if self.components:
            z = self.prior.sample(n, generator)
        else:
            z = self.latent.sample_prior(n, self._like, generator)
        x = torch.zeros(n, self.steps, self.features).to(self._like)
        unseen = torch.zeros_like(x, dtype=torch.bool)
        windows = Windows(x, unseen, unseen[..., 0], self.context_rows(context, n))
        return self.in_data_units(self._complete(z, windows, not means, generator)[:, :steps])

    @torch.no_grad()
    def predict(
        self,
        x: Data,
        steps: int,
        context: Data | None = None,
        *,
        lengths: Lengths | None = None,
        draw: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Forecast the next steps (B, steps, D) of windows.

        Args:
            x: what happened so far (B, T, D).
            steps: how many are to come.
            context: (B, C), if the model is conditional.
            lengths: (B,), how many of the T steps happened.
            draw: draw a future instead of taking means.
            generator: source of the draws.

        Raises:
            ValueError: if past and future together are longer than the model was made for.
        """
        batch, _ = self.prepare(x, context, generator, lengths=lengths)
        windows = self.windows(batch)
        past = windows.valid.sum(1)  # (B,)
        longest = int(past.max())
        if steps < 1 or longest + steps > self.steps:
            raise ValueError(
                f"predict was asked for {steps} steps after {longest}; this SequenceVAE was made "
                f"for windows of {self.steps}, of which 1 to {self.steps - 1} can be forecast: "
                "give fewer of the last steps, or ask for fewer."
            )
        whole = self._filled(windows, draw, generator)
        future = past[:, None] + torch.arange(steps, device=past.device)  # (B, steps)
        return self.in_data_units(whole.take_along_dim(future[..., None], 1))

    @torch.no_grad()
    def impute(
        self,
        x: Data,
        mask: Data,
        context: Data | None = None,
        *,
        lengths: Lengths | None = None,
        draw: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Complete windows (B, T, D): what is hidden is told by q(z | what is seen) and the noise.

        Args:
            x: windows; hidden values may be anything.
            mask: (B, T, D), True where a value is observed.
            context: (B, C), if the model is conditional.
            lengths: (B,), how many of the T steps there are; 0 is returned beyond.
            draw: draw what is hidden instead of taking its mean.
            generator: source of the draws.

        Raises:
            ValueError: if mask or windows cannot be used, or the preprocessing mixes dimensions.
        """
        data, holes, batch, here = self.prepare_holes(x, mask, context, generator, lengths=lengths)
        windows = self.windows(batch)
        seen = windows.seen & F.pad(here, (0, 0, 0, self.steps - holes.shape[1]))
        check_mask(seen.flatten(1), windows.x.flatten(1))
        whole = self._filled(windows._replace(seen=seen), draw, generator)
        valid = windows.valid[:, : holes.shape[1], None]
        filled = self.in_data_units(whole[:, : holes.shape[1]])
        return torch.where(holes & valid, data, torch.where(valid, filled, 0))

    @torch.no_grad()
    def activity(self, x: Data, context: Data | None = None) -> Tensor:
        """How much each latent variable tells of the data (Z,); above 0.01 it counts as active."""
        return activity(self.encode(x, context).mean)

    def _filled(self, windows: Windows, draw: bool, generator: torch.Generator | None) -> Tensor:
        """Windows (B, T, D) with what is not seen filled in, after preprocessing."""
        posterior = self.posterior(windows)
        z = posterior.sample(1, generator)[0][0] if draw else posterior.mode
        return self._complete(z, windows, draw, generator)

    def _complete(
        self, z: Tensor, windows: Windows, draw: bool, generator: torch.Generator | None
    ) -> Tensor:
        path, std = self.decoder(z, windows.context)
        return self.noise.complete(path, std, windows.x, windows.seen, draw, generator)
