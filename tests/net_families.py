"""The families that learn by gradients, for the laws that hold for all of them.

Add a family here, by its name: it then has to keep all laws in test_generative_laws.py that do not
ask for a density, and every parameter has to get a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from generative import NeuralModel, Standardise
from generative.autoencoder import Autoencoder
from generative.coders import Dense
from generative.hyperspherical import Hypersphere
from generative.inverse_autoregressive import InverseAutoregressive
from generative.likelihoods import Gaussian
from generative.vae import VAE


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(n: int = 400) -> Tensor:
    """Three correlated clusters in the plane."""
    g = generator()
    means = torch.tensor([[0.0, 0.0], [4.0, 1.0], [-2.0, 5.0]], dtype=torch.float64)
    noise = torch.randn(n, 2, generator=g, dtype=torch.float64)
    mix = torch.tensor([[1.0, 0.5], [0.0, 0.6]], dtype=torch.float64)
    return means[torch.arange(n) % 3] + noise @ mix


class Net(NamedTuple):
    """A family that learns by gradients.

    Attributes:
        make: an unfitted one.
        x: data for it.
        result: something that it tells of each row (or code) by itself and without noise.
    """

    make: Callable[[], NeuralModel]
    x: Tensor
    result: Callable[[Any, Tensor], Tensor]


SMALL = Dense((8,), activation="silu")
NORMAL = Gaussian("learned")

NETS: dict[str, Net] = {
    "autoencoder": Net(
        lambda: Autoencoder(2, 1, network=SMALL, preprocessing=Standardise()),
        blobs(),
        lambda model, x: model.reconstruct(x),
    ),
    "vae": Net(
        lambda: VAE(2, 2, likelihood=NORMAL, network=SMALL, preprocessing=Standardise()),
        blobs(),
        lambda model, x: model.encode(x).mean,
    ),
    "vae, autoregressive": Net(
        lambda: VAE(2, InverseAutoregressive(2), likelihood=NORMAL, network=SMALL),
        blobs(),
        lambda model, x: model.decode(x).mean,
    ),
    "vae, sphere": Net(
        lambda: VAE(2, Hypersphere(3), likelihood=NORMAL, network=SMALL),
        blobs(),
        lambda model, x: model.encode(x).mean,
    ),
}
