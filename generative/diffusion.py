"""Denoising diffusion (Sohl-Dickstein et al. 2015; Ho et al. 2020) of vectors and windows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from generative.batches import Batch
from generative.data import Data
from generative.denoising import Denoising, Known
from generative.diffusion_bound import bound
from generative.diffusion_path import guess, last, walk
from generative.noise import spread_evenly

_GUESSES = 4  # noises that a completion's mean is averaged over; little is seen through them


class Diffusion(Denoising):
    """Rows come from noise in many small steps, each towards the mean of what they may have been.

    A net learns E[x | x + τ ε] for noise of all sizes τ. What it sees and what it says are scaled
    by a Gaussian with the covariance of the data
    (:class:`~generative.gaussian_basis.GaussianBasis`). ``elbo`` bounds the log-density of the
    model that ``sample`` draws from with ``eta=1`` in
    infinitely many steps; few steps without randomness draw nearly the same.

    Args:
        shape: of one row: D, or (T, D) for windows of sequences.
        network: ``Perceptron()`` for vectors and ``Mixer()`` for windows if not given.
        noise: the noise levels, in units of the data's spread.
        context: C, the width of what the model is conditioned on; 0 for nothing.
        parts: share of rows that show the net a part of themselves while it learns, so that it
            can ``impute``; 0 for none.
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range.

    >>> from generative.denoisers import Perceptron
    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(256, 3, generator=g) * torch.tensor([1.0, 2.0, 3.0])
    >>> model = Diffusion(3, network=Perceptron((16,)))
    >>> model = model.fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(4, g).shape, model.elbo(x[:5], generator=g).shape
    (torch.Size([4, 3]), torch.Size([5]))
    """

    @torch.no_grad()
    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        context: Data | None = None,
        *,
        steps: int = 20,
        eta: float = 0.0,
    ) -> Tensor:
        """Draw rows (n, *shape).

        Args:
            n: how many.
            generator: source of the draws.
            context: (n, C), if the model is conditional.
            steps: from noise to data.
            eta: 0 takes the deterministic path (DDIM, Song et al. 2021, in steps that are exact
                for Gaussian data and look back at the one before), 1 adds noise after each step as
                DDPM does (Ho et al. 2020), which needs more of them.

        Raises:
            ValueError: if a number cannot be used.
        """
        self.check_fitted()
        if n < 1:
            raise ValueError(f"sample was asked for {n} rows; give 1 or more.")
        like = self.basis.mean.expand(n, *self.basis.mean.shape)  # (n, T, D)
        batch = Batch(like, self.context_rows(context, n))
        drawn = [
            last(walk(self, len(part.x), self.nothing(part.context), steps, eta, generator))
            for part in self.pieces(batch)
        ]
        return self._rows(torch.cat(drawn))

    @torch.no_grad()
    def walk(
        self,
        n: int,
        generator: torch.Generator | None = None,
        context: Data | None = None,
        *,
        steps: int = 20,
    ) -> Iterator[Tensor]:
        """Rows (n, *shape) on their way from noise to draws, after each step of ``sample``."""
        self.check_fitted()
        known = self.nothing(self.context_rows(context, n))
        for rows in walk(self, n, known, steps, 0.0, generator):
            yield self._rows(rows)

    @torch.no_grad()
    def elbo(
        self,
        x: Data,
        context: Data | None = None,
        *,
        draws: int = 32,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Evidence lower bound (B,), in nats and in units of the data (Kingma et al. 2021, eq. 18).

        Its integral over noise levels is estimated without bias from some of them.

        Args:
            x: rows (B, *shape).
            context: (B, C), if the model is conditional.
            draws: levels for each row.
            generator: source of levels and noise.

        Raises:
            ValueError: if ``draws`` is below 1 or the data do not fit.
        """
        if draws < 1:
            raise ValueError(f"elbo was asked for with draws={draws}; give 1 or more.")
        batch, log_det = self.prepare(x, context, generator)
        each = [bound(self, part, draws, generator) for part in self.pieces(batch)]
        return torch.cat(each) + log_det

    @torch.no_grad()
    def denoising_error(
        self,
        x: Data,
        context: Data | None = None,
        *,
        draws: int = 8,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """How badly each row (B,) is told from noise: low for rows like the data.

        The loss of training, averaged over noise levels; :meth:`errors` gives gradients. It is
        cheap, and a score that discriminators are made of (Wang et al. 2024, Lai et al. 2024).

        Args:
            x: rows (B, *shape).
            context: (B, C), if the model is conditional.
            draws: noise levels for each row, spread over all of them.
            generator: source of the noise.
        """
        batch, _ = self.prepare(x, context, generator)
        found = []
        for part in self.pieces(batch):
            x, known = self.windows(part.x), self.nothing(part.context)
            start = spread_evenly(len(x), x, generator)
            times = [(start + k / draws) % 1 for k in range(draws)]
            ratios = [self.noise.ratio(u, self.clock) for u in times]
            each = [self.errors(x, known, ratio, generator) for ratio in ratios]
            found.append(torch.stack(each).mean(0))
        return torch.cat(found)

    @torch.no_grad()
    def denoise(self, x: Data, noise: float, context: Data | None = None) -> Tensor:
        """E[clean row | row] (B, *shape) of rows with noise of a known size.

        Args:
            x: noisy rows (B, *shape).
            noise: standard deviation of their noise after preprocessing, the same in each
                dimension, in units of the data's spread.
            context: (B, C), if the model is conditional.

        Raises:
            ValueError: if the model has not seen such noise.
        """
        batch, _ = self.prepare(x, context, None)
        self._check_noise(noise)
        return self._rows(torch.cat([self._clean(part, noise) for part in self.pieces(batch)]))

    def score_fn(self, x: Data, context: Data | None = None, *, noise: float = 0.05) -> Tensor:
        """∇ log p (B, *shape) of data with a little noise, in units of the data.

        It is (E[x | x + τ ε] - x) / τ² (Tweedie's formula; Vincent 2011), and through the
        preprocessing back to x.

        Args:
            x: rows (B, *shape).
            context: (B, C), if the model is conditional.
            noise: τ after preprocessing, in units of the data's spread. The smaller, the closer
                to the data's own score, and the less exact.

        Raises:
            ValueError: if the model has not seen such noise.
        """
        self.check_fitted()
        self._check_noise(noise)
        given = self.as_batch(x, context)
        rows = given.x.to(self.dtype).requires_grad_()
        with torch.enable_grad():
            batch, log_det = self.preprocessed(given._replace(x=rows))
        self.check(batch)
        with torch.no_grad():
            clean = torch.cat([self._clean(part, noise) for part in self.pieces(batch)])
            score = (clean - self.windows(batch.x)) / (noise * self.basis.scale) ** 2
        with torch.enable_grad():
            total = (self.windows(batch.x) * score).sum() + log_det.sum()
        return torch.autograd.grad(total, rows)[0]

    @torch.no_grad()
    def impute(
        self,
        x: Data,
        mask: Data,
        context: Data | None = None,
        *,
        draw: bool = False,
        steps: int = 20,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Complete rows (B, *shape) by their mean or a draw, given what is observed.

        The net is told what is observed, as it was in training. With no more than noise to look
        at besides, it gives the mean in one pass; draws take steps as ``sample`` does.

        Args:
            x: rows; hidden values may be anything.
            mask: (B, *shape), True where a value is observed.
            context: (B, C), if the model is conditional.
            draw: draw what is hidden instead of taking its mean.
            steps: of a draw.
            generator: source of the draws; the mean is the same each time without it.

        Raises:
            ValueError: if mask or rows cannot be used, the model learned without ``parts``, or
                the preprocessing mixes dimensions.
        """
        if not self.parts:
            raise ValueError(
                "impute needs a Diffusion that learned to complete rows; make it with parts=0.25, "
                "say."
            )
        if generator is None and not draw:
            generator = torch.Generator(self.device).manual_seed(0)
        data, seen, batch, here = self.prepare_holes(x, mask, context, generator)
        left = torch.split(self.windows(here), self.rows_at_once())
        filled = []
        for part, known in zip(self.pieces(batch), left, strict=True):
            told = Known(self.windows(part.x), known, part.context)
            if draw:
                rows = last(walk(self, len(known), told, steps, 0.0, generator))
            else:
                guesses = [guess(self, told, generator) for _ in range(_GUESSES)]
                rows = torch.stack(guesses).mean(0)
            filled.append(torch.where(known, told.x, rows))
        return torch.where(seen, data, self._rows(torch.cat(filled)))

    def _clean(self, batch: Batch, noise: float) -> Tensor:
        """E[clean row | row] (B, T, D) of rows after preprocessing."""
        known = self.nothing(batch.context)
        return self.estimate(self.windows(batch.x), noise * self.basis.scale, known)

    def _check_noise(self, noise: float) -> None:
        if not self.noise.least <= noise <= self.noise.most:
            raise ValueError(
                f"This Diffusion was asked about noise={noise}; it has learned from "
                f"{self.noise.least:g} to {self.noise.most:g}, in units of the data's spread."
            )

    def _rows(self, windows: Tensor) -> Tensor:
        """Windows (B, T, D) after preprocessing as rows (B, *shape) in units of the data."""
        return self.in_data_units(windows.squeeze(1) if len(self.shape) == 1 else windows)
