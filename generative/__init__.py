"""Generative models and the machinery they share.

Families share the verbs of :class:`GenerativeModel`: Gaussian mixtures, by expectation-maximisation
or variational inference, Bayes classifiers, autoencoders, also variational ones and of sequences,
GANs, PixelCNN and PixelRNN, energy-based models and diffusion. Those with nets are trained by one
trainer (:class:`NeuralModel`, :class:`Training`, :class:`Monitor`). Beside them: preprocessing with
log-determinants, multilayer perceptrons, adversarial losses and penalties on logits, and a running
normaliser. Everywhere the real data is label 1 and a high logit means "real".

>>> import torch
>>> net = mlp(3, [32, 32], 1)
>>> real, fake = torch.randn(8, 3), torch.randn(8, 3)
>>> loss = discriminator_loss("bce", net(real), net(fake))
>>> loss.shape
torch.Size([])
"""

from __future__ import annotations

from generative.adversarial import (
    AdversarialLoss,
    discriminator_loss,
    entropy_bonus,
    generator_loss,
    gradient_penalty,
    logit_penalty,
    r1_penalty,
)
from generative.alpha_gan import AlphaGAN
from generative.archive import ArchiveError
from generative.autoencoder import Autoencoder
from generative.bayes import BayesClassifier
from generative.binarise import DynamicBinarise
from generative.chain import Chain
from generative.coders import Convolutional, Dense
from generative.dcgan import DCGAN
from generative.denoisers import Mixer, Perceptron
from generative.diffusion import Diffusion
from generative.energy import EnergyModel
from generative.games import Game, Techniques
from generative.gan import GAN
from generative.mixture import GaussianMixture
from generative.mixture_base import Mixture
from generative.model import DensityModel, GenerativeModel
from generative.nets import Initialiser, mlp
from generative.neural import NeuralModel
from generative.normaliser import RunningNorm
from generative.pixel_models import PixelCNN, PixelRNN
from generative.pixels import Binarise, Dequantise, Logit, Rescale
from generative.preprocessing import DropConstant, Standardise, Whiten
from generative.quantise import Quantise
from generative.sequence_vae import SequenceVAE
from generative.training import Batch, DivergenceError, Moment, Monitor, Training
from generative.transform import Transform
from generative.vae import VAE
from generative.vae_gan import VAEGAN
from generative.variational import VariationalMixture

__all__ = [
    "DCGAN",
    "GAN",
    "VAE",
    "VAEGAN",
    "AdversarialLoss",
    "AlphaGAN",
    "ArchiveError",
    "Autoencoder",
    "Batch",
    "BayesClassifier",
    "Binarise",
    "Chain",
    "Convolutional",
    "Dense",
    "DensityModel",
    "Dequantise",
    "Diffusion",
    "DivergenceError",
    "DropConstant",
    "DynamicBinarise",
    "EnergyModel",
    "Game",
    "GaussianMixture",
    "GenerativeModel",
    "Initialiser",
    "Logit",
    "Mixer",
    "Mixture",
    "Moment",
    "Monitor",
    "NeuralModel",
    "Perceptron",
    "PixelCNN",
    "PixelRNN",
    "Quantise",
    "Rescale",
    "RunningNorm",
    "SequenceVAE",
    "Standardise",
    "Techniques",
    "Training",
    "Transform",
    "VariationalMixture",
    "Whiten",
    "discriminator_loss",
    "entropy_bonus",
    "generator_loss",
    "gradient_penalty",
    "logit_penalty",
    "mlp",
    "r1_penalty",
]
