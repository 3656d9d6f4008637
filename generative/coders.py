"""Encoders and decoders of autoencoders: multilayer perceptrons and convolutions.

Each kind is a description without parameters that makes both nets. An encoder maps x (B, *shape)
and a context (B, C) to features (B, F); a decoder maps z (B, Z) and a context to numbers
(B, *shape, outputs) from which a likelihood makes a distribution.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from generative.data import check_positive
from generative.nets import mlp

Shape = tuple[int, ...]
Activation = Literal["relu", "leaky_relu", "elu", "silu", "softplus", "tanh"]


@dataclass(frozen=True)
class Network(ABC):
    """A pair of nets: the description, without parameters."""

    @abstractmethod
    def encoder(self, shape: Shape, context: int) -> Encoder:
        """A net from (x, context) to features."""

    @abstractmethod
    def decoder(self, width: int, context: int, shape: Shape, outputs: int) -> nn.Module:
        """A net from (z, context) to (B, *shape, outputs)."""


@dataclass(frozen=True)
class Dense(Network):
    """Multilayer perceptrons; the decoder has the encoder's layers in reverse order.

    >>> network = Dense((32, 16))
    >>> features = network.encoder((64,), 0)(torch.zeros(5, 64))
    >>> network.decoder(2, 0, (64,), 1)(torch.zeros(5, 2)).shape, features.shape
    (torch.Size([5, 64, 1]), torch.Size([5, 16]))
    """

    hidden: Sequence[int] = (400, 400)
    """Widths of the encoder's hidden layers."""
    activation: Activation = "relu"
    """Between them."""

    def __post_init__(self) -> None:
        check_activation(self.activation)
        object.__setattr__(self, "hidden", widths("Dense", "hidden", self.hidden))

    def encoder(self, shape: Shape, context: int) -> Encoder:
        """A net from x and context to features."""
        return DenseEncoder(math.prod(shape) + context, self.hidden, self.activation)

    def decoder(self, width: int, context: int, shape: Shape, outputs: int) -> nn.Module:
        """A net from z and context to the likelihood's numbers."""
        kind = activation_class(self.activation)
        hidden = tuple(reversed(self.hidden))
        body = mlp(width + context, hidden, math.prod(shape) * outputs, activation=kind)
        return Decoder(body, nn.Unflatten(1, (*shape, outputs)))


@dataclass(frozen=True)
class Convolutional(Network):
    """Convolutions of stride 2 for images (C, H, W) of any size, then one hidden layer.

    >>> network = Convolutional((8, 16), hidden=32)
    >>> features = network.encoder((1, 7, 9), 0)(torch.zeros(5, 1, 7, 9))
    >>> network.decoder(2, 0, (1, 7, 9), 1)(torch.zeros(5, 2)).shape, features.shape
    (torch.Size([5, 1, 7, 9, 1]), torch.Size([5, 32]))
    """

    channels: Sequence[int] = (32, 64)
    """Of each convolution; each halves height and width."""
    hidden: int = 256
    """Width of the layer between the convolutions and z."""
    activation: Activation = "relu"
    """Between all layers."""

    def __post_init__(self) -> None:
        check_activation(self.activation)
        check_positive("Convolutional", hidden=self.hidden)
        object.__setattr__(self, "channels", widths("Convolutional", "channels", self.channels))

    def encoder(self, shape: Shape, context: int) -> Encoder:
        """A net from x and context to features; the context joins after the convolutions."""
        sizes = self.sizes(shape)
        kind = activation_class(self.activation)
        layers: list[nn.Module] = []
        for (before, *_), (after, *_) in pairwise(sizes):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), kind()]
        width = math.prod(sizes[-1])
        rest = DenseEncoder(width + context, (self.hidden,), self.activation)
        return ConvolutionalEncoder(nn.Sequential(*layers), rest)

    def decoder(self, width: int, context: int, shape: Shape, outputs: int) -> nn.Module:
        """A net from z and context to the likelihood's numbers."""
        sizes = self.sizes(shape)[::-1]
        kind = activation_class(self.activation)
        body = mlp(width + context, (self.hidden,), math.prod(sizes[0]), activation=kind)
        layers: list[nn.Module] = [nn.Unflatten(1, sizes[0])]
        for before, after in pairwise(sizes):
            last = after is sizes[-1]
            channels = shape[0] * outputs if last else after[0]
            rest = (after[1] + 1) % 2, (after[2] + 1) % 2  # 1 where the size is even
            layers += [kind(), nn.ConvTranspose2d(before[0], channels, 3, 2, 1, rest)]
        return Decoder(body, nn.Sequential(*layers, Outputs(shape[0], outputs)))

    def sizes(self, shape: Shape) -> list[Shape]:
        """Shapes (C, H, W) of the image and after each convolution.

        Raises:
            ValueError: if these are no images.
        """
        if len(shape) != 3:
            raise ValueError(
                f"Convolutional needs images of a shape (C, H, W) and was given {shape}; use "
                "Dense for vectors."
            )
        sizes: list[Shape] = [shape]
        for channels in self.channels:
            _, height, width = sizes[-1]
            sizes.append((channels, (height + 1) // 2, (width + 1) // 2))
        return sizes


class Encoder(nn.Module, ABC):
    """A net from x and context to features.

    Attributes:
        features: F, how many it gives.
    """

    features: int

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Features (B, F)."""


class DenseEncoder(Encoder):
    """Layers with an activation after each, over x and context side by side."""

    def __init__(self, in_features: int, hidden: Sequence[int], activation: Activation) -> None:
        super().__init__()
        kind = activation_class(activation)
        self.features = hidden[-1]
        layers = mlp(in_features, hidden[:-1], hidden[-1], activation=kind)
        self.body = nn.Sequential(layers, kind())

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Features (B, F)."""
        features: Tensor = self.body(beside(x.flatten(1), context))
        return features


class ConvolutionalEncoder(Encoder):
    """Convolutions, then what follows them over their outputs and the context."""

    def __init__(self, body: nn.Module, rest: DenseEncoder) -> None:
        super().__init__()
        self.body, self.rest = body, rest
        self.features = rest.features

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Features (B, F)."""
        features: Tensor = self.rest(self.body(x), context)
        return features


class Decoder(nn.Module):
    """A perceptron over z and context side by side, then what gives its outputs their shape."""

    def __init__(self, body: nn.Module, shaping: nn.Module) -> None:
        super().__init__()
        self.body, self.shaping = body, shaping

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Numbers (B, *shape, outputs)."""
        outputs: Tensor = self.shaping(self.body(beside(z, context)))
        return outputs


class LeakyReLU(nn.LeakyReLU):
    """Of slope 0.2 below 0, as critics have it (Radford et al. 2016)."""

    def __init__(self) -> None:
        super().__init__(0.2)


class Outputs(nn.Module):
    """Channels (B, C · outputs, H, W) to (B, C, H, W, outputs)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.channels, self.outputs = channels, outputs

    def forward(self, x: Tensor) -> Tensor:
        """The same numbers, reordered."""
        batch, _, height, width = x.shape
        return x.reshape(batch, self.channels, self.outputs, height, width).movedim(2, -1)


def beside(x: Tensor, context: Tensor | None) -> Tensor:
    """x (B, D) and context (B, C) in one (B, D + C)."""
    return x if context is None else torch.cat([x, context], -1)


def widths(owner: str, name: str, value: Sequence[int]) -> Shape:
    """A setting that holds widths of layers, as a tuple.

    Raises:
        ValueError: if it is empty or a width is below 1.
    """
    if not value or min(value) < 1:
        raise ValueError(
            f"{owner} was given {name}={tuple(value)}; expected at least one number, each 1 or "
            "more."
        )
    return tuple(value)


def activation_class(name: Activation) -> type[nn.Module]:
    """The module of a nonlinearity."""
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "leaky_relu": LeakyReLU,
        "elu": nn.ELU,
        "silu": nn.SiLU,
        "softplus": nn.Softplus,
        "tanh": nn.Tanh,
    }
    return kinds[name]


def check_activation(name: str) -> None:
    """Refuse what is no activation.

    Raises:
        ValueError: naming those there are.
    """
    if name not in get_args(Activation):
        choices = ", ".join(get_args(Activation))
        raise ValueError(f"The activation is {name!r}; expected one of {choices}.")
