"""Energy-based models: a net says how unlikely rows are, up to a constant."""

from __future__ import annotations

import torch
from torch import Tensor

from generative.annealing import anneal
from generative.batches import Batch
from generative.clamped import complete
from generative.data import Data
from generative.energetic import Energetic
from generative.langevin import Chains, check_step

_SHOWN = 64  # rows at which a step size is tested


class EnergyModel(Energetic):
    """p(x) ∝ exp(-E(x)), E = |w|² / 2 + f(w) of white rows w, f a net.

    Without the net it is the Gaussian with mean and covariance of the data, and far from all data
    the Gaussian wins: the energy always has a finite sum. ``energy`` is in nats and in units of
    the data: its differences are differences of log-densities. Its constant is that of the
    Gaussian, so that with ``NoiseContrast`` it is about minus the log-density. :meth:`normalise`
    finds what it lacks; ``log_prob`` counts it from then on.

    Args:
        shape: of one row: D, (T, D) or (C, H, W).
        objective: what it learns by: ``NoiseContrast()`` if not given, ``ContrastiveDivergence``
            or ``ScoreMatching``.
        network: of f; ``Dense((128, 128), "silu")`` if not given.
        least: variance that data have at least along any axis, as a part of the largest.
        temperatures: with which :meth:`normalise` is called at the end of ``fit``; 0 not to.
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range or the network cannot take such rows.

    >>> from generative.coders import Dense
    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> x = 3 * torch.randn(256, 2, generator=g)
    >>> model = EnergyModel(2, network=Dense((8,), "silu"))
    >>> model = model.fit(x, training=Training(epochs=2), generator=g)
    >>> model.energy(x[:5]).shape, model.score_fn(x[:5]).shape, model.sample(3, g).shape
    (torch.Size([5]), torch.Size([5, 2]), torch.Size([3, 2]))
    """

    def after_fit(self, data: Batch) -> None:
        """Normalise, if asked for."""
        self.log_normaliser = self.basis.mean.new_empty(0)  # that of other weights
        if self.temperatures:
            fixed = torch.Generator(self.device).manual_seed(0)
            self.normalise(temperatures=self.temperatures, generator=fixed)

    def energy(self, x: Data) -> Tensor:
        """Energy (B,) of rows (B, *shape), in nats and units of the data, with gradients to x."""
        batch, log_det = self.prepare(x)
        parts = [self.white_energy(self.white(part.x)) for part in self.pieces(batch)]
        return torch.cat(parts) + self.basis.variances.log().sum() / 2 - log_det

    def score_fn(self, x: Data) -> Tensor:
        """∇ log p (B, *shape), minus the slope of the energy, in units of the data."""
        self.check_fitted()
        rows = self.as_batch(x).x.to(self.dtype).detach().requires_grad_()
        with torch.enable_grad():
            total = self.energy(rows).sum()
        return -torch.autograd.grad(total, rows)[0]

    def log_prob(self, x: Data) -> Tensor:
        """Log-density (B,) in nats and units of the data, once :meth:`normalise` was called.

        Raises:
            ValueError: before that.
        """
        if not self.log_normaliser.numel():
            raise ValueError(
                "The energy has no log-density yet; call normalise() first, or make the "
                "EnergyModel with temperatures=100, say."
            )
        return -self.energy(x) - self.log_normaliser

    @torch.no_grad()
    def normalise(
        self,
        chains: int = 1000,
        temperatures: int = 100,
        *,
        moves: int = 1,
        generator: torch.Generator | None = None,
    ) -> tuple[float, float]:
        """Find log ∫ exp(-E(x)) dx by annealed importance sampling (Neal 2001), and keep it.

        Args:
            chains: how many draws.
            temperatures: between the Gaussian part and the model.
            moves: Langevin steps at each.
            generator: source of the noise.

        Returns:
            The log-normaliser and its standard error, in nats.

        Raises:
            ValueError: if a number is not positive or the model was not fitted.
        """
        self.check_fitted()
        if chains < 2:
            raise ValueError(f"normalise was given chains={chains}; give 2 or more.")
        start = self.noise(chains, generator)
        done = anneal(self.added, start, temperatures, generator, moves=moves)
        value = done.log_normaliser()
        self.log_normaliser = self.basis.mean.new_tensor(value)
        return value, done.standard_error()

    @torch.no_grad()
    def sample(
        self,
        n: int,
        generator: torch.Generator | None = None,
        *,
        steps: int = 200,
        size: float | None = None,
    ) -> Tensor:
        """Draw rows (n, *shape) by Langevin chains from the Gaussian part.

        By default the net's part comes in little by little over the first half of the steps, and
        sizes of steps adapt; Metropolis and Hastings make the model the limit.

        Args:
            n: how many.
            generator: source of the draws.
            steps: of each chain.
            size: for plain chains instead, with all proposals taken: of their steps, for rows of
                variance 1. The smaller, the more exact, and the more steps they need.

        Raises:
            ValueError: if a number cannot be used; of a size, naming the largest that can.
            DivergenceError: if plain chains run away.
        """
        self.check_fitted()
        if n < 1 or steps < 2:
            raise ValueError(
                f"sample was asked for {n} rows with steps={steps}; give 1 or more, and 2 or more."
            )
        start = self.noise(n, generator)
        chains = Chains.at(start, 0.5 if size is None else size)
        if size is None:
            half = steps // 2
            chains.x = anneal(self.added, start, half, generator).x
            for _ in range(steps - half):
                chains.move(self.white_energy, generator, adapt=True)
        else:
            check_step(self.white_energy, start[:_SHOWN], size)
            for _ in range(steps):
                chains.move(self.white_energy, generator, adjusted=False)
            chains.check(self.white_energy)
        return self.rows(chains.x)

    @torch.no_grad()
    def impute(
        self,
        x: Data,
        mask: Data,
        *,
        steps: int = 200,
        draw: bool = False,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Complete rows (B, *shape) by Langevin chains in which what is observed stays.

        Metropolis and Hastings make p(hidden | observed) their limit. Hidden values become their
        mean over the second half of the chain, or its last state.

        Args:
            x: rows; hidden values may be anything.
            mask: (B, *shape), True where a value is observed.
            steps: of each chain.
            draw: give a draw in place of the mean.
            generator: source of the draws.

        Raises:
            ValueError: if mask, rows or steps cannot be used, or the preprocessing mixes
                dimensions.
        """
        if steps < 2:
            raise ValueError(f"impute was given steps={steps}; give 2 or more.")
        data, seen, batch, here = self.prepare_holes(x, mask, generator=generator)
        mean, last = complete(self, batch.x, here, steps, generator)
        return torch.where(seen, data, self.in_data_units(last if draw else mean))
