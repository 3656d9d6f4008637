"""The nets of a GAN: what makes rows, and what judges them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from generative.coders import Encoder
from generative.games import Game

_DIMENSIONS = 8  # in which each kernel compares rows


class Generator(nn.Module):
    """Codes to rows.

    Args:
        decoder: maps codes (B, Z) and a context to (B, *shape, 1).
        bounded: whether rows lie in (-1, 1), by tanh.
    """

    def __init__(self, decoder: nn.Module, *, bounded: bool) -> None:
        super().__init__()
        self.decoder, self.bounded = decoder, bounded

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Rows (B, *shape), as the critic sees them."""
        values: Tensor = self.decoder(z, context).squeeze(-1)
        return values.tanh() if self.bounded else values


class Critic(nn.Module):
    """Rows to logits, high for data.

    Args:
        encoder: maps rows (B, *shape) and a context to features (B, F).
        game: whether weights are divided by their largest singular values.
        kernels: of minibatch discrimination; 0 for none.

    Raises:
        ValueError: if the game has penalties of slopes and rows are judged together.
    """

    def __init__(self, encoder: Encoder, game: Game, kernels: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.likeness = Likeness(encoder.features, kernels) if kernels else None
        normed = any(isinstance(each, nn.modules.batchnorm._BatchNorm) for each in self.modules())
        self.together = normed or bool(kernels)
        if game.by_row and self.together:
            told = "minibatch discrimination" if kernels else "batch norm (critic_norm=False)"
            raise ValueError(
                "A penalty of the critic's slope needs one that judges each row by itself; leave "
                f"out {told}, or the penalty."
            )
        # Data and generated rows cancel a constant in the Wasserstein loss.
        constant = game.loss != "wasserstein"
        self.head = nn.Linear(encoder.features + kernels, 1, bias=constant)
        if game.spectral_norm:
            for layer in [each for each in self.modules() if isinstance(each, _WEIGHTED)]:
                parametrizations.spectral_norm(layer)

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """What the encoder tells of rows (B, F)."""
        features: Tensor = self.encoder(x, context)
        return features

    def logits(self, features: Tensor) -> Tensor:
        """The verdict (B,) on features (B, F)."""
        if self.likeness is not None:
            features = torch.cat([features, self.likeness(features)], 1)
        logits: Tensor = self.head(features).squeeze(1)
        return logits

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits (B,) of rows (B, *shape)."""
        return self.logits(self.features(x, context))


class Likeness(nn.Module):
    """How much each row of a batch is like the others (Salimans et al. 2016, §3.2).

    >>> Likeness(3, 4)(torch.zeros(5, 3))[0]
    tensor([4., 4., 4., 4.], grad_fn=<SelectBackward0>)
    """

    def __init__(self, features: int, kernels: int) -> None:
        super().__init__()
        self.kernels = kernels
        self.project = nn.Linear(features, kernels * _DIMENSIONS, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Sums of exp(-distance) to all other rows (B, kernels) of features (B, F)."""
        places = self.project(features).unflatten(1, (self.kernels, _DIMENSIONS)).transpose(0, 1)
        distances = torch.cdist(places, places, p=1.0)  # (kernels, B, B)
        return (-distances).exp().sum(2).T - 1


_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)
