"""Generative adversarial networks (Goodfellow et al. 2014)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from generative.adversaries import Adversaries
from generative.average import Average
from generative.batches import Batch
from generative.data import Data

_CELLS = 1 << 18  # numbers that the generator gives at once when much is drawn


class GAN(Adversaries):
    """A generator makes rows of noise, and a critic learns to tell them from data.

    There is no density: ``sample`` draws, ``generate`` makes the rows of given codes, and
    ``judge`` tells what the critic thinks of rows. Which GAN it is, is said by the game
    (``PLAIN``, ``LEAST_SQUARES``, ``HINGE``, ``WASSERSTEIN`` in :mod:`generative.games`) and the
    network (``DCGAN(…)``). Generated images lie in (-1, 1), and preprocessing has to bring data
    there (``Rescale``); vectors and windows are free. The critic's losses say little about how
    good the samples are, so there is no patience.

    Args:
        shape: of one row: D, (T, D) or (C, H, W).
        latent: Z, width of the codes, which are drawn from N(0, I).
        network: of generator and critic; ``Dense((256, 256), "leaky_relu")`` if not given.
        game: loss, penalties and turns; ``PLAIN`` if not given.
        techniques: what else steadies training.
        context: C, the width of what both players are given beside (Mirza & Osindero 2014).
        preprocessing: fitted to the data of the first ``fit``.

    Raises:
        ValueError: if a setting is out of range or the network cannot make such rows.

    >>> from generative.coders import Dense
    >>> from generative.games import WASSERSTEIN
    >>> from generative.training import Training
    >>> g = torch.Generator().manual_seed(0)
    >>> x = torch.randn(256, 2, generator=g)
    >>> model = GAN(2, 4, network=Dense((16,)), game=WASSERSTEIN)
    >>> model = model.fit(x, training=Training(epochs=2), generator=g)
    >>> model.sample(3, g).shape, model.judge(x[:5]).shape
    (torch.Size([3, 2]), torch.Size([5]))
    """

    @torch.no_grad()
    def sample(
        self, n: int, generator: torch.Generator | None = None, context: Data | None = None
    ) -> Tensor:
        """Draw rows (n, *shape).

        Args:
            n: how many.
            generator: source of the draws.
            context: (n, C), if the model is conditional.
        """
        if n < 1:
            raise ValueError(f"sample was asked for {n} rows; give 1 or more.")
        return self.generate(self.codes_drawn(n, generator), context)

    @torch.no_grad()
    def generate(self, z: Data, context: Data | None = None) -> Tensor:
        """The rows (B, *shape) of codes, by the averaged weights and in units of the data.

        Args:
            z: codes (B, Z).
            context: (B, C), if the model is conditional.
        """
        self.check_fitted()
        codes = torch.as_tensor(z).to(self._like)
        batch = Batch(codes, self.context_rows(context, len(codes)))
        return self.in_data_units(torch.cat([self.made(part) for part in self.pieces(batch)]))

    @torch.no_grad()
    def judge(self, x: Data, context: Data | None = None) -> Tensor:
        """The critic's logits (B,): high for rows it takes for data.

        With minibatch discrimination they depend on what else is in x.

        Args:
            x: rows (B, *shape).
            context: (B, C), if the model is conditional.
        """
        batch, _ = self.prepare(x, context)
        with still(self.critic):
            return torch.cat([self.critic(each.x, each.context) for each in self.pieces(batch)])

    def rows_at_once(self) -> int:
        """How many rows the nets can take when much is evaluated."""
        return max(1, _CELLS // math.prod(self.shape))

    def made(self, batch: Batch) -> Tensor:
        """Rows of codes, as the critic sees them, by the averaged weights."""
        rows: Tensor = self.averaged("generator", batch)
        return rows

    def averaged(self, name: str, batch: Batch) -> Any:
        """What a net tells of rows or codes and their context, by its averaged weights."""
        net, mean = getattr(self, name), self.averages[name]
        assert isinstance(mean, Average)
        with still(net):
            return functional_call(net, mean.values(), (batch.x, batch.context))


@contextmanager
def still(net: nn.Module) -> Iterator[None]:
    """A net as it is when it does not learn."""
    before = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(before)
