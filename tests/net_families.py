"""The families that learn by gradients, for the laws that hold for all of them.

Add a family here, by its name: it then has to keep all laws in test_generative_laws.py that do not
ask for a density, and every parameter has to get a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from generative import NeuralModel, Standardise
from generative.alpha_gan import AlphaGAN
from generative.autoencoder import Autoencoder, Corruption, Sparsity
from generative.binarise import DynamicBinarise
from generative.coders import Convolutional, Dense
from generative.dcgan import DCGAN
from generative.denoisers import Mixer, Perceptron
from generative.diffusion import Diffusion
from generative.discretised import DiscretisedLogistic
from generative.energy import EnergyModel
from generative.games import WASSERSTEIN, Game, Techniques
from generative.gan import GAN
from generative.gated_stacks import Gated
from generative.hyperspherical import Hypersphere
from generative.inverse_autoregressive import InverseAutoregressive
from generative.likelihoods import Categorical, Gaussian
from generative.masked_blocks import Masked
from generative.objectives import ContrastiveDivergence, ScoreMatching
from generative.pixel_models import PixelCNN, PixelRNN
from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM
from generative.pixels import Rescale
from generative.quantise import Quantise
from generative.vae import VAE
from generative.vae_gan import VAEGAN


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(n: int = 400) -> Tensor:
    """Three correlated clusters in the plane."""
    g = generator()
    means = torch.tensor([[0.0, 0.0], [4.0, 1.0], [-2.0, 5.0]], dtype=torch.float64)
    noise = torch.randn(n, 2, generator=g, dtype=torch.float64)
    mix = torch.tensor([[1.0, 0.5], [0.0, 0.6]], dtype=torch.float64)
    return means[torch.arange(n) % 3] + noise @ mix


def images(n: int = 256) -> Tensor:
    """Digits (n, 1, 8, 8) in shades from 0 to 16."""
    return torch.tensor(load_digits().images[:n, None], dtype=torch.float32)


def windows(n: int = 128) -> Tensor:
    """Random walks (n, 6, 2)."""
    return torch.randn(n, 6, 2, generator=generator()).cumsum(1)


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
SMALL_IMAGES = Convolutional((4, 6), 16)
NORMAL = Gaussian("learned")
BOUND = Game("least_squares", spectral_norm=True)

NETS: dict[str, Net] = {
    "alpha-gan": Net(
        lambda: AlphaGAN(2, 3, network=SMALL, preprocessing=Standardise()),
        blobs(),
        lambda model, x: model.reconstruct(x),
    ),
    "autoencoder": Net(
        lambda: Autoencoder(2, 1, network=SMALL, preprocessing=Standardise()),
        blobs(),
        lambda model, x: model.reconstruct(x),
    ),
    "autoencoder, denoising": Net(
        lambda: Autoencoder(2, 2, network=SMALL, corruption=Corruption(noise=0.5, masked=0.2)),
        blobs(),
        lambda model, x: model.encode(x),
    ),
    "autoencoder, sparse": Net(
        lambda: Autoencoder((1, 8, 8), 4, network=SMALL_IMAGES, sparsity=Sparsity()),
        images(),
        lambda model, x: model.encode(x),
    ),
    "diffusion": Net(
        lambda: Diffusion(2, network=Perceptron((16,)), preprocessing=Standardise()),
        blobs(),
        lambda model, x: model.denoise(x, 0.5),
    ),
    "diffusion of windows": Net(
        lambda: Diffusion((6, 2), network=Mixer(8, 2), parts=0.5),
        windows(),
        lambda model, x: model.score_fn(x, noise=1.0),
    ),
    "energy": Net(
        lambda: EnergyModel(2, network=SMALL, temperatures=2, preprocessing=Standardise()),
        blobs(),
        lambda model, x: model.log_prob(x).detach(),
    ),
    "energy, contrastive divergence": Net(
        lambda: EnergyModel(
            (1, 8, 8),
            objective=ContrastiveDivergence(2, persistent=64),
            network=SMALL_IMAGES,
            least=0.01,
        ),
        images(),
        lambda model, x: model.energy(x).detach(),
    ),
    "energy, score matching": Net(
        lambda: EnergyModel((6, 2), objective=ScoreMatching(), network=SMALL),
        windows(),
        lambda model, x: model.score_fn(x),
    ),
    "pixelcnn": Net(
        lambda: PixelCNN((1, 8, 8), 17, network=Gated(4, 2, first=3)),
        images(128),
        lambda model, x: model.log_prob(x),
    ),
    "pixelcnn, colours": Net(
        lambda: PixelCNN((2, 4, 8), DiscretisedLogistic(17, 2), network=Masked(4, 2)),
        images(128).reshape(-1, 2, 4, 8),
        lambda model, x: model.bits_per_dimension(x),
    ),
    "pixelcnn, windows": Net(
        lambda: PixelCNN((6, 2), 16, network=Gated(8, 2), preprocessing=Quantise(16)),
        windows(),
        lambda model, x: model.log_prob(x),
    ),
    "pixelrnn, diagonal": Net(
        lambda: PixelRNN((1, 8, 8), 17, network=DiagonalBiLSTM(4, 1)),
        images(64),
        lambda model, x: model.log_prob(x),
    ),
    "pixelrnn, rows": Net(
        lambda: PixelRNN((1, 8, 8), 2, network=RowLSTM(4, 2), preprocessing=DynamicBinarise(16)),
        (images(64) > 7) * 16.0,
        lambda model, x: model.log_prob(x),
    ),
    "gan": Net(
        lambda: GAN(2, 3, network=SMALL, preprocessing=Standardise()),
        blobs(),
        lambda model, x: model.judge(x),
    ),
    "gan, deep convolutional": Net(
        lambda: GAN((1, 8, 8), 3, network=DCGAN(4), preprocessing=Rescale(0, 16)),
        images(),
        lambda model, x: model.judge(x),
    ),
    "gan, spectral norm": Net(
        lambda: GAN((1, 8, 8), 64, network=SMALL_IMAGES, game=BOUND, preprocessing=Rescale(0, 16)),
        images(),
        lambda model, x: model.generate(x.flatten(1) / 16),
    ),
    "gan, improved": Net(
        lambda: GAN((6, 2), 12, network=SMALL, techniques=Techniques(1.0, 4, 0.1, 0.1)),
        windows(),
        lambda model, x: model.generate(x.flatten(1)),
    ),
    "gan, wasserstein": Net(
        lambda: GAN((6, 2), 3, network=SMALL, game=WASSERSTEIN),
        windows(),
        lambda model, x: model.judge(x),
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
    "vae, categorical": Net(
        lambda: VAE(64, 3, likelihood=Categorical(17), network=SMALL, beta=0.5, warm_up=1),
        images().flatten(1),
        lambda model, x: model.reconstruct(x),
    ),
    "vae, convolutional": Net(
        lambda: VAE((1, 8, 8), 3, network=SMALL_IMAGES, preprocessing=DynamicBinarise(16)),
        (images() > 7) * 16.0,  # nothing is left to draw
        lambda model, x: model.reconstruct(x),
    ),
    "vae, sphere": Net(
        lambda: VAE(2, Hypersphere(3), likelihood=NORMAL, network=SMALL),
        blobs(),
        lambda model, x: model.encode(x).mean,
    ),
    "vae/gan": Net(
        lambda: VAEGAN((1, 8, 8), 3, network=DCGAN(4), preprocessing=Rescale(0, 16)),
        images(),
        lambda model, x: model.reconstruct(x),
    ),
}
