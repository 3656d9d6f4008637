"""Multilayer perceptrons with a choice of initialiser and of Lipschitz bound."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import nn
from torch.nn.utils import parametrizations

Initialiser = Literal["orthogonal", "xavier", "default"]


def mlp(
    in_features: int,
    hidden: Sequence[int],
    out_features: int,
    *,
    activation: type[nn.Module] = nn.ReLU,
    init: Initialiser = "orthogonal",
    final_gain: float | None = None,
    spectral_norm: bool = False,
) -> nn.Sequential:
    """Build linear layers with an activation after each but the last.

    Args:
        in_features: width of the input (B, in_features).
        hidden: widths of the hidden layers; none gives a linear map.
        out_features: width of the output (B, out_features).
        activation: class of the nonlinearity, constructed without arguments.
        init: ``"orthogonal"`` (Saxe et al. 2014) and ``"xavier"`` (Glorot & Bengio 2010) scale
            hidden weights by sqrt(2) and set biases to zero; ``"default"`` is PyTorch's own.
        final_gain: factor on the last layer's initial weight, 1 if not given. A small one makes
            the first outputs nearly zero.
        spectral_norm: divide every weight by its largest singular value, estimated by one power
            iteration a forward pass in training mode (Miyato et al. 2018, Algorithm 1). With a
            1-Lipschitz activation the whole net is then 1-Lipschitz.

    Raises:
        ValueError: if a width is below 1, the initialiser is unknown, or a ``final_gain`` is
            asked of a spectrally normalised net, which would divide it away.

    >>> net = mlp(3, [64, 64], 1, final_gain=0.01)
    >>> net(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
    >>> mlp(3, [64, 0], 1)
    Traceback (most recent call last):
    ValueError: The widths of a net were given as 3, 64, 0, 1; each must be at least 1.
    """
    widths = [in_features, *hidden, out_features]
    if min(widths) < 1:
        given = ", ".join(map(str, widths))
        raise ValueError(f"The widths of a net were given as {given}; each must be at least 1.")
    if spectral_norm and final_gain is not None:
        raise ValueError(
            f"A net with spectral norm was given final_gain={final_gain}, which the norm "
            "divides away; leave one of the two out."
        )
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    for layer in layers[:-1]:
        initialise(layer, init, gain=math.sqrt(2) if init != "default" else 1.0)
    initialise(layers[-1], init, gain=1.0 if final_gain is None else final_gain)
    if spectral_norm:
        for layer in layers:
            parametrizations.spectral_norm(layer)
    modules: list[nn.Module] = [layers[0]]
    for layer in layers[1:]:
        modules += [activation(), layer]
    return nn.Sequential(*modules)


def initialise(layer: nn.Linear, init: Initialiser, gain: float = 1.0) -> None:
    """Set a layer's weight to ``gain`` times what the initialiser draws, in place.

    Raises:
        ValueError: if the initialiser is unknown.
    """
    match init:
        case "orthogonal":
            nn.init.orthogonal_(layer.weight, gain)
            nn.init.zeros_(layer.bias)
        case "xavier":
            nn.init.xavier_uniform_(layer.weight, gain)
            nn.init.zeros_(layer.bias)
        case "default":
            with torch.no_grad():
                layer.weight.mul_(gain)
        case _:
            choices = ", ".join(get_args(Initialiser))
            raise ValueError(f"The initialiser is {init!r}; expected one of {choices}.")
