"""Nets that tell noise from signal: of vectors, and of windows of sequences."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generative.coders import widths
from generative.data import check_positive
from generative.nets import mlp

_WAVES = 16  # of the code of a noise level


class Seen(NamedTuple):
    """What a net sees of noisy rows, and beside them.

    Attributes:
        x: the rows, white (B, T, D).
        level: log of the ratio of noise to signal (B,).
        beside: what goes with each step (B, T, E).
        known: more of it for the first K rows (K, T, F), which is 0 for the others.
        context: (B, C).
    """

    x: Tensor
    level: Tensor
    beside: Tensor | None = None
    known: Tensor | None = None
    context: Tensor | None = None


@dataclass(frozen=True)
class Denoiser(ABC):
    """A net: the description, without parameters."""

    @abstractmethod
    def build(self, steps: int, features: int, beside: int, context: int) -> nn.Module:
        """A net from :class:`Seen` to windows (B, T, D).

        Args:
            steps: T; 1 for vectors.
            features: D.
            beside: how many numbers go with each step, all in all.
            context: C.
        """


@dataclass(frozen=True)
class Perceptron(Denoiser):
    """A multilayer perceptron over all there is, for vectors and for short windows.

    >>> net = Perceptron((16,)).build(1, 3, 0, 0)
    >>> net(Seen(torch.randn(5, 1, 3), torch.zeros(5))).shape
    torch.Size([5, 1, 3])
    """

    hidden: Sequence[int] = (256, 256, 256)
    """Widths of the hidden layers."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "hidden", widths("Perceptron", "hidden", self.hidden))

    def build(self, steps: int, features: int, beside: int, context: int) -> nn.Module:
        """The net."""
        return DensePart(steps, features, beside, context, self.hidden)


@dataclass(frozen=True)
class Mixer(Denoiser):
    """Layers that mix steps and layers that mix features, in turns (Tolstikhin et al. 2021).

    >>> net = Mixer(16, 2).build(8, 3, 6, 1)
    >>> known = torch.zeros(2, 8, 4)  # of two rows
    >>> x = torch.randn(5, 8, 3)
    >>> net(Seen(x, torch.zeros(5), torch.zeros(5, 8, 2), known, torch.zeros(5, 1))).shape
    torch.Size([5, 8, 3])
    """

    width: int = 192
    """Numbers kept of each step."""
    blocks: int = 4
    """Of one layer of each kind."""

    def __post_init__(self) -> None:
        check_positive("Mixer", width=self.width, blocks=self.blocks)
        if self.width < 2:
            raise ValueError(f"Mixer was given width={self.width}; a step needs 2 numbers or more.")

    def build(self, steps: int, features: int, beside: int, context: int) -> nn.Module:
        """The net."""
        return MixingPart(steps, features, beside, context, self)


class DensePart(nn.Module):
    """See :class:`Perceptron`; gives zeros before it learns."""

    def __init__(
        self, steps: int, features: int, beside: int, context: int, hidden: Sequence[int]
    ) -> None:
        super().__init__()
        width = steps * (features + beside) + 2 * _WAVES + context
        self.body = mlp(width, hidden, steps * features, activation=nn.SiLU, final_gain=0.0)

    def forward(self, seen: Seen) -> Tensor:
        """A correction (B, T, D) of white rows."""
        x, level, beside, known, context = seen
        steps = [] if beside is None else [beside]
        if known is not None:
            steps.append(F.pad(known, (0, 0, 0, 0, 0, len(x) - len(known))))
        given = [x.flatten(1), waves(level)]
        given += [torch.cat(steps, 2).flatten(1)] if steps else []
        given += [] if context is None else [context]
        told: Tensor = self.body(torch.cat(given, 1))
        return told.view_as(x)


class MixingPart(nn.Module):
    """See :class:`Mixer`; gives zeros before it learns."""

    def __init__(self, steps: int, features: int, beside: int, context: int, sizes: Mixer) -> None:
        super().__init__()
        told = 2 * _WAVES + context
        self.first = nn.Linear(features + beside, sizes.width)
        self.blocks = nn.ModuleList(Block(steps, sizes.width, told) for _ in range(sizes.blocks))
        self.level = Told(told, sizes.width)
        self.last = nn.Linear(sizes.width, features)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, seen: Seen) -> Tensor:
        """A correction (B, T, D) of white rows."""
        x, level, beside, known, context = seen
        told = waves(level) if context is None else torch.cat([waves(level), context], 1)
        h = joined(self.first, x if beside is None else torch.cat([x, beside], 2), known)
        for block in self.blocks:
            h = block(h, told)
        out: Tensor = self.last(self.level(h, told))
        return out


class Block(nn.Module):
    """Mixes steps, then features, and adds both to what it was given."""

    def __init__(self, steps: int, width: int, told: int) -> None:
        super().__init__()
        self.before_steps, self.before_features = Told(told, width), Told(told, width)
        self.steps = mlp(steps, (2 * steps,), steps, activation=nn.SiLU)
        self.features = mlp(width, (2 * width,), width, activation=nn.SiLU)

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        """The same shape (B, T, H), for a noise level and context (B, K)."""
        h = h + along_steps(self.steps, self.before_steps(h, told))
        added: Tensor = self.features(self.before_features(h, told))
        return h + added


class Told(nn.Module):
    """Normalises each step, then scales and shifts it by noise level and context.

    What is signal at one level is noise at another: without the scales (Peebles & Xie 2023) the
    net would have to gate itself.
    """

    def __init__(self, told: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.scale_and_shift = nn.Linear(told, 2 * width)
        nn.init.zeros_(self.scale_and_shift.weight)
        nn.init.zeros_(self.scale_and_shift.bias)

    def forward(self, h: Tensor, told: Tensor) -> Tensor:
        """The same shape (B, T, H), for what is told (B, K)."""
        scale, shift = self.scale_and_shift(told)[:, None].chunk(2, 2)
        return torch.addcmul(shift, self.norm(h), 1 + scale)


def along_steps(body: nn.Sequential, h: Tensor) -> Tensor:
    """What a perceptron makes of the steps of h (B, T, H), each feature for itself.

    The same as ``body(h.mT).mT``, without copies of what is transposed, but with a gradient of the
    weights for each row: that takes less only where there are fewer steps than features.

    >>> body, h = mlp(3, (4,), 3), torch.randn(2, 3, 5)
    >>> torch.allclose(along_steps(body, h), body(h.mT).mT, atol=1e-6)
    True
    """
    if h.shape[1] > h.shape[2]:
        told: Tensor = body(h.mT).mT
        return told
    for layer in body:
        if isinstance(layer, nn.Linear):
            h = torch.baddbmm(layer.bias[:, None], layer.weight.expand(len(h), -1, -1), h)
        else:
            h = layer(h)
    return h


def joined(layer: nn.Linear, x: Tensor, known: Tensor | None) -> Tensor:
    """What a layer (B, T, H) makes of x (B, T, E) beside known (K, T, F) of the first K rows.

    Beside the other rows there are zeros, which are not multiplied.

    >>> layer, x, known = nn.Linear(5, 4), torch.randn(3, 1, 3), torch.randn(2, 1, 2)
    >>> whole = torch.cat([x, torch.cat([known, torch.zeros(1, 1, 2)])], 2)
    >>> torch.allclose(joined(layer, x, known), layer(whole), atol=1e-6)
    True
    """
    if known is None:
        return layer(x)  # type: ignore[no-any-return]
    of_x, of_known = layer.weight.tensor_split([x.shape[2]], 1)
    told, rest = F.linear(x, of_x, layer.bias).tensor_split([len(known)])
    return torch.cat([told + F.linear(known, of_known), rest])


def waves(level: Tensor) -> Tensor:
    """Cosines and sines (B, 32) of numbers (B,) from about -5 to 5."""
    lengths = torch.arange(1, _WAVES + 1, dtype=level.dtype, device=level.device)
    angle = level[:, None] * lengths * (math.pi / 12)
    return torch.cat([angle.cos(), angle.sin()], 1)
