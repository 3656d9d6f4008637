"""Convolutional nets for adversarial training, of images and of windows of sequences."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from generative.coders import Decoder, Encoder, LeakyReLU, Network, Outputs, Shape
from generative.data import check_positive

_LARGEST = 7  # height and width where halving ends, at most; 4 at least
_SLOPE = 0.2  # of LeakyReLU
_STD = 0.02  # of first weights (Radford et al. 2016, §3.1)


@dataclass(frozen=True)
class DCGAN(Network):
    """Strided convolutions with batch norm (Radford et al. 2016), for any size that can be halved.

    Images (C, H, W) and windows (T, D) whose sizes are 4 to 7 times a power of two: 8, 28, 32,
    64, 96, 128 … Each convolution halves them and doubles the channels, until 4 to 7 are left; the
    generator goes the other way.

    >>> network = DCGAN(8)
    >>> features = network.encoder((1, 16, 16), 0)(torch.zeros(5, 1, 16, 16))
    >>> network.decoder(2, 0, (1, 16, 16), 1)(torch.zeros(5, 2)).shape, features.shape
    (torch.Size([5, 1, 16, 16, 1]), torch.Size([5, 256]))
    >>> network.encoder((8, 3), 0)(torch.zeros(5, 8, 3)).shape  # windows
    torch.Size([5, 256])
    >>> network.encoder((1, 30, 30), 0)
    Traceback (most recent call last):
    ValueError: A DCGAN was asked for rows of the shape (1, 30, 30); it makes sizes of 4 to 7 ...
    """

    channels: int = 64
    """Of the largest feature maps."""
    critic_norm: bool = True
    """Batch norm in the critic (and encoder) too; a penalty of its slope forbids that."""
    hidden: int = 256
    """Width of a dense layer at the smallest maps, which sees all of a row at once; 0 for none, as
    in the paper and for critics with spectral norms, with which it ends in a single mode."""

    def __post_init__(self) -> None:
        check_positive("DCGAN", channels=self.channels)
        if self.hidden < 0:
            raise ValueError(f"DCGAN was given hidden={self.hidden}; expected at least 0.")

    def encoder(self, shape: Shape, context: int) -> Encoder:
        """A net from x and context, which is given at every place, to the smallest maps."""
        channels, sizes = self.maps(shape)
        flat = len(shape) == 3
        layers: list[nn.Module] = []
        for step, (before, after) in enumerate(pairwise(channels)):
            normed = self.critic_norm and step > 0
            before += context if step == 0 else 0
            layers.append(_conv(flat, before, after, bias=not normed))
            layers += [_norm(flat, after)] if normed else []
            layers.append(LeakyReLU())
        width = channels[-1] * math.prod(sizes[-1])
        layers.append(nn.Flatten())
        if self.hidden:
            layers += _dense(width, self.hidden, normed=self.critic_norm)
            layers.append(LeakyReLU())
            width = self.hidden
        if not self.critic_norm:  # nothing else would bring signals to a size of around 1
            for layer in layers:
                if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, _SLOPE)
        return MapEncoder(nn.Sequential(*layers), width, windows=not flat)

    def decoder(self, width: int, context: int, shape: Shape, outputs: int) -> nn.Module:
        """A net from z and context to numbers (B, *shape, outputs)."""
        channels, sizes = self.maps(shape)
        channels, sizes, flat = channels[::-1], sizes[::-1], len(shape) == 3
        first = (channels[0], *sizes[0])
        width += context
        body = nn.Sequential()
        if self.hidden:
            body.extend([*_dense(width, self.hidden, normed=True), nn.ReLU()])
            width = self.hidden
        body.append(_linear(width, math.prod(first), bias=False))
        layers: list[nn.Module] = [nn.Unflatten(1, first), _norm(flat, channels[0]), nn.ReLU()]
        for before, after in pairwise(channels[:-1]):
            layers += [_conv_up(flat, before, after, bias=False), _norm(flat, after), nn.ReLU()]
        layers.append(_conv_up(flat, channels[-2], channels[-1] * outputs, bias=True))
        last = Outputs(shape[0], outputs) if flat else WindowOutputs(outputs)
        return Decoder(body, nn.Sequential(*layers, last))

    def maps(self, shape: Shape) -> tuple[list[int], list[Shape]]:
        """Channels and sizes of the row and of the map after each convolution.

        Raises:
            ValueError: if such rows cannot be made.
        """
        inputs, places = (shape[0], shape[1:]) if len(shape) == 3 else (shape[-1], shape[:-1])
        sizes = [places]
        while places and max(sizes[-1]) > _LARGEST and not any(side % 2 for side in sizes[-1]):
            sizes.append(tuple(side // 2 for side in sizes[-1]))
        if len(sizes) < 2 or not all(4 <= side <= _LARGEST for side in sizes[-1]):
            raise ValueError(
                f"A DCGAN was asked for rows of the shape {shape}; it makes sizes of 4 to 7 times "
                "a power of two (8, 28, 32, 64 …): pad or crop images (C, H, W) or windows (T, D) "
                "to such a size, or use Dense."
            )
        return [inputs, *(self.channels * 2**step for step in range(len(sizes) - 1))], sizes


class MapEncoder(Encoder):
    """Convolutions over maps, to which the context is added as channels that are even."""

    def __init__(self, body: nn.Module, features: int, *, windows: bool) -> None:
        super().__init__()
        self.body, self.features, self.windows = body, features, windows

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Features (B, F)."""
        x = x.mT if self.windows else x
        if context is not None:
            even = context.reshape(*context.shape, *(1 for _ in x.shape[2:]))
            x = torch.cat([x, even.expand(-1, -1, *x.shape[2:])], 1)
        features: Tensor = self.body(x)
        return features


class WindowOutputs(nn.Module):
    """Channels (B, D · outputs, T) to (B, T, D, outputs)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor:
        """The same numbers, reordered."""
        return x.mT.reshape(len(x), x.shape[2], -1, self.outputs)


def _conv(flat: bool, before: int, after: int, *, bias: bool) -> nn.Module:
    kind = nn.Conv2d if flat else nn.Conv1d
    layer = kind(before, after, 4, stride=2, padding=1, bias=bias)
    nn.init.normal_(layer.weight, std=_STD)
    return layer


def _conv_up(flat: bool, before: int, after: int, *, bias: bool) -> nn.Module:
    kind = nn.ConvTranspose2d if flat else nn.ConvTranspose1d
    layer = kind(before, after, 4, stride=2, padding=1, bias=bias)
    nn.init.normal_(layer.weight, std=_STD)
    return layer


def _linear(before: int, after: int, *, bias: bool) -> nn.Linear:
    layer = nn.Linear(before, after, bias=bias)
    nn.init.normal_(layer.weight, std=_STD)
    return layer


def _dense(before: int, after: int, *, normed: bool) -> list[nn.Module]:
    layer = _linear(before, after, bias=not normed)
    return [layer, nn.BatchNorm1d(after)] if normed else [layer]


def _norm(flat: bool, channels: int) -> nn.Module:
    layer = nn.BatchNorm2d(channels) if flat else nn.BatchNorm1d(channels)
    nn.init.normal_(layer.weight, mean=1.0, std=_STD)
    return layer
