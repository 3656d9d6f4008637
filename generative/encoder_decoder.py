"""What all autoencoders share: two nets, a likelihood, and data on their way in and out."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from generative.batches import Batch, check_context, check_rows
from generative.chain import describe
from generative.coders import Network
from generative.data import Data
from generative.described import describe_part, part_from
from generative.likelihoods import Bernoulli, Categorical, Gaussian, Likelihood
from generative.networks import NETWORKS
from generative.neural import NeuralModel
from generative.transform import Transform

CELLS = 1 << 20  # numbers that a decoder gives at once when much is evaluated


class EncoderDecoder(NeuralModel):
    """Base class of autoencoders.

    A subclass builds ``encoder`` and ``decoder`` with :meth:`build` and adds its own arguments to
    :meth:`settings`.

    Attributes:
        shape: of one row, (D,) or (C, H, W).
        likelihood: p(x | z), of data after preprocessing.
        network: what made the nets.
        context: C, the width of what the model is conditioned on; 0 for nothing.
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        likelihood: Likelihood,
        network: Network,
        context: int,
        preprocessing: Transform | None,
    ) -> None:
        super().__init__(preprocessing)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        if len(self.shape) not in (1, 3) or min(self.shape) < 1 or context < 0:
            raise ValueError(
                f"{type(self).__name__} was given shape={self.shape} and context={context}; "
                "expected a width D or (C, H, W), each 1 or more, and a context of 0 or more."
            )
        self.likelihood, self.network, self.context = likelihood, network, context

    def build(self, width: int) -> None:
        """Make encoder and decoder for codes (B, width)."""
        self.encoder = self.network.encoder(self.shape, self.context)
        self.decoder = self.network.decoder(
            width, self.context, self.shape, self.likelihood.outputs
        )

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "shape": list(self.shape),
            "likelihood": describe_part(self.likelihood),
            "network": describe_part(self.network),
            "context": self.context,
            "preprocessing": describe(self.preprocessing),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        parts = {
            "likelihood": part_from(settings["likelihood"], (Bernoulli, Gaussian, Categorical)),
            "network": part_from(settings["network"], NETWORKS),
        }
        return super().from_settings({**settings, **parts})

    def check(self, batch: Batch) -> None:
        """Refuse rows of another shape, values without a likelihood, a context that does not fit.

        Raises:
            ValueError: in one sentence.
        """
        check_rows(self, batch)
        check_context(self, batch.context, len(batch.x))
        self.likelihood.check(batch.x)

    @abstractmethod
    def codes(self, batch: Batch) -> Tensor:
        """The code (B, Z) that stands for each row, of data as the nets see them."""

    @torch.no_grad()
    def reconstruct(
        self,
        x: Data,
        context: Data | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """E[x | z] (B, *shape) of the code of each row; the generator is for the preprocessing."""
        batch, _ = self.prepare(x, context, generator)
        return self.in_data_units(torch.cat([self.told(part) for part in self.pieces(batch)]))

    def told(self, batch: Batch) -> Tensor:
        """E[x | z] (B, *shape) of the codes of data, both as the nets see them."""
        z = self.codes(batch)[None]
        return self.likelihood.mean(self.outputs(z, batch.context)[0])

    @torch.no_grad()
    def decode(self, z: Data, context: Data | None = None) -> Distribution:
        """p(x | z) of data after preprocessing: batch shape (B,), event shape the rows'.

        Args:
            z: codes (B, Z).
            context: (B, C), if the model is conditional.
        """
        self.check_fitted()
        codes = torch.as_tensor(z).to(self.device, self.dtype)
        numbers = self.outputs(codes[None], self.context_rows(context, len(codes)))[0]
        each = self.likelihood.distribution(numbers)
        return Independent(each, len(self.shape), validate_args=False)

    @torch.no_grad()
    def generate(self, z: Data, context: Data | None = None) -> Tensor:
        """E[x | z] (B, *shape) of codes, in units of the data.

        Args:
            z: codes (B, Z).
            context: (B, C), if the model is conditional.
        """
        self.check_fitted()
        codes = torch.as_tensor(z).to(self._like)
        numbers = self.outputs(codes[None], self.context_rows(context, len(codes)))[0]
        return self.in_data_units(self.likelihood.mean(numbers))

    def outputs(self, z: Tensor, context: Tensor | None) -> Tensor:
        """What the decoder gives (n, B, *shape, outputs) for n codes (n, B, Z) of each row."""
        n, rows, _ = z.shape
        if context is not None:
            context = context.expand(n, *context.shape).flatten(0, 1)
        numbers: Tensor = self.decoder(z.flatten(0, 1), context)
        return numbers.reshape(n, rows, *numbers.shape[1:])

    def log_likelihood(self, z: Tensor, batch: Batch) -> Tensor:
        """log p(x | z) (n, B) for n codes (n, B, Z) of each row."""
        each = self.likelihood.log_prob(self.outputs(z, batch.context), batch.x)
        return each.flatten(2).sum(-1)

    def rows_at_once(self) -> int:
        """How many rows a decoder can take when much is evaluated."""
        return max(1, CELLS // (math.prod(self.shape) * self.likelihood.outputs))
