"""Generative models and the machinery they share.

So far: multilayer perceptrons, adversarial losses and penalties on logits, and a running
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
from generative.nets import Initialiser, mlp
from generative.normaliser import RunningNorm

__all__ = [
    "AdversarialLoss",
    "Initialiser",
    "RunningNorm",
    "discriminator_loss",
    "entropy_bonus",
    "generator_loss",
    "gradient_penalty",
    "logit_penalty",
    "mlp",
    "r1_penalty",
]
