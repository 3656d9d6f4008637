"""LSTM encoder and decoder of windows of sequences."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEAST_STD = 1e-2  # after preprocessing; a value known better would earn any density one likes
_LOUDEST, _QUIETEST = 2.0, -3.0  # logs of the factor by which noise differs from its usual size
_UNIT = math.log(math.e - 1)  # softplus of it is 1


class SequenceEncoder(nn.Module):
    """An LSTM over what is seen of a window; a hidden layer over what it gives at all steps.

    What is not seen enters as 0 beside a mask that says so, hence cannot matter. All steps count
    directly in what comes out: an LSTM alone would have to learn to remember the first ones.

    Args:
        features: D.
        steps: T.
        hidden: H, units of the LSTM; the layer after it has twice as many.
        context: C, 0 for none.
    """

    def __init__(self, features: int, steps: int, hidden: int, context: int) -> None:
        super().__init__()
        self.frame = nn.Linear(2 * features + context, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.features = 2 * hidden
        self.window = nn.Linear(2 * hidden * steps, self.features)

    def forward(self, x: Tensor, seen: Tensor, context: Tensor | None) -> Tensor:
        """Features (B, F) of windows (B, T, D) where seen (B, T, D)."""
        parts = [torch.where(seen, x, 0), seen.to(x)]
        if context is not None:
            parts.append(context[:, None].expand(-1, x.shape[1], -1))
        frames = self.frame(torch.cat(parts, 2))  # (B, T, H)
        states, _ = self.lstm(frames)
        return F.relu(self.window(torch.cat([states, frames], 2).flatten(1)))


class SequenceDecoder(nn.Module):
    """A code to a path and to the size of the noise around it, by an LSTM.

    Its input at each step is a linear map of the code, a different one for each step, and is also
    passed on beside its output. So a linear model of the window is there from the start, to which
    the LSTM adds what is curved.

    Args:
        latent: Z.
        features: D.
        steps: T.
        hidden: H.
        context: C, 0 for none.
    """

    def __init__(self, latent: int, features: int, steps: int, hidden: int, context: int) -> None:
        super().__init__()
        self.start = nn.Linear(latent + context, steps * hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.mean = nn.Linear(2 * hidden, features)
        self.loudness = nn.Linear(2 * hidden, features)
        nn.init.zeros_(self.loudness.weight)
        nn.init.zeros_(self.loudness.bias)
        self.usual = nn.Parameter(torch.full((features,), _UNIT))
        self.steps = steps

    def forward(self, z: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """The path (B, T, D) of codes (B, Z), and the standard deviation at each of its values.

        No gradient goes from the deviations into the path.
        """
        given = z if context is None else torch.cat([z, context], 1)
        inputs = self.start(given).unflatten(1, (self.steps, -1))  # (B, T, H)
        states, _ = self.lstm(inputs)
        features = torch.cat([states, inputs], 2)
        louder = self.loudness(features.detach()).clamp(_QUIETEST, _LOUDEST).exp()
        return self.mean(features), self.usual_std().detach() * louder + LEAST_STD

    def usual_std(self) -> Tensor:
        """The standard deviation of the noise in each dimension (D,), were it always the same."""
        return F.softplus(self.usual)
