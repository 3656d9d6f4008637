"""Whole numbers with a likelihood that knows their order: mixtures of rounded logistics."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from generative.data import check_positive
from generative.likelihoods import Discrete

_LEAST = -7.0  # log of the least scale, where all levels are from -1 to 1


@dataclass(frozen=True)
class DiscretisedLogistic(Discrete):
    """A mixture of logistic distributions, rounded to whole numbers 0 to levels - 1.

    All beyond the ends belongs to the first and the last level (Salimans et al. 2017, eq. 2). It
    has few numbers for many levels, and close levels are alike from the start.

    Args:
        levels: how many values there are.
        components: of the mixture.

    >>> likelihood = DiscretisedLogistic(256, components=3)
    >>> likelihood.outputs, likelihood.log_probs(torch.zeros(5, 9)).exp().sum(1)
    (9, tensor([1., 1., 1., 1., 1.]))
    """

    components: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("DiscretisedLogistic", components=self.components)

    @property
    def outputs(self) -> int:
        """Logit, mean and log-scale of each component."""
        return 3 * self.components

    def log_prob(self, outputs: Tensor, x: Tensor) -> Tensor:
        """The log-probability of the level that x is.

        With a and b the ends of a level in units of the scale, log(σ(b) - σ(a)) is
        log σ(b) + log σ(-a) + log(1 - e^(a - b)), which loses nothing far from the mean.
        """
        logits, mean, log_scale = outputs.chunk(3, -1)
        # Components begin spread over the range, not all at its middle.
        start = torch.linspace(-1, 1, 2 * self.components + 1).to(mean)[1::2]
        inverse = (math.log(self.components) - log_scale).clamp(max=-_LEAST).exp()
        width = 2 / (self.levels - 1)
        gap = (x * width - 1)[..., None] - mean - start  # (..., components)
        a, b = (gap - width / 2) * inverse, (gap + width / 2) * inverse
        below, above = F.logsigmoid(b), F.logsigmoid(-a)
        inside = below + above + torch.log(-torch.expm1(-width * inverse))
        top = (x == self.levels - 1)[..., None]
        each = torch.where((x == 0)[..., None], below, torch.where(top, above, inside))
        return (each + logits.log_softmax(-1)).logsumexp(-1)

    def log_probs(self, outputs: Tensor) -> Tensor:
        """Log-probabilities (B, ..., levels) of all levels."""
        levels = torch.arange(self.levels, dtype=outputs.dtype, device=outputs.device)
        return self.log_prob(outputs[..., None, :], levels)
