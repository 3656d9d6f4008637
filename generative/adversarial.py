"""Adversarial losses and penalties on logits.

The convention everywhere: real (or expert) rows are label 1, and a high logit means "real".
With D = sigmoid(logit), log D = -softplus(-logit) and log(1 - D) = -softplus(logit), so no loss
ever takes the logarithm of a rounded probability. Losses are means over rows, the real and the
fake part each over its own; they, and the penalties, are scalars to be minimised (the entropy
bonus alone is to be maximised).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

AdversarialLoss = Literal["bce", "least_squares", "hinge", "wasserstein"]


def discriminator_loss(
    kind: AdversarialLoss,
    real_logits: Tensor,
    fake_logits: Tensor,
    label_smoothing: float = 0.0,
    fake_label_smoothing: float = 0.0,
) -> Tensor:
    """What the discriminator minimises.

    Args:
        kind: which loss; each has its own function below.
        real_logits: logits of real or expert rows, any shape.
        fake_logits: logits of generated or policy rows, any shape.
        label_smoothing: real rows have the label 1 minus this (``"bce"`` only).
        fake_label_smoothing: fake rows have this label instead of 0 (``"bce"`` only).

    Raises:
        ValueError: if the kind is unknown, or smoothing is asked of a loss without labels or
            is not in [0, 0.5).

    >>> discriminator_loss("hinge", torch.tensor([2.0]), torch.tensor([0.5]))
    tensor(1.5000)
    """
    if kind != "bce" and (label_smoothing or fake_label_smoothing):
        raise ValueError(
            f"Label smoothing was asked of the {kind} loss, which has no labels; "
            'use the "bce" loss or no smoothing.'
        )
    match kind:
        case "bce":
            return bce_loss(real_logits, fake_logits, label_smoothing, fake_label_smoothing)
        case "least_squares":
            return least_squares_loss(real_logits, fake_logits)
        case "hinge":
            return hinge_loss(real_logits, fake_logits)
        case "wasserstein":
            return wasserstein_loss(real_logits, fake_logits)
    raise ValueError(_unknown(kind))


def generator_loss(kind: AdversarialLoss, fake_logits: Tensor) -> Tensor:
    """What the generator minimises against a discriminator trained with the same kind.

    Args:
        kind: which loss. ``"bce"`` gives the non-saturating form.
        fake_logits: logits of generated rows, any shape.

    Raises:
        ValueError: if the kind is unknown.

    >>> generator_loss("wasserstein", torch.tensor([1.0, 3.0]))
    tensor(-2.)
    """
    match kind:
        case "bce":
            return non_saturating_loss(fake_logits)
        case "least_squares":
            return 0.5 * (fake_logits - 1).square().mean()  # Mao et al. 2017, eq. 2 with c = b
        case "hinge" | "wasserstein":
            return -fake_logits.mean()  # Miyato et al. 2018, eq. 17; Arjovsky et al. 2017
    raise ValueError(_unknown(kind))


def bce_loss(
    real: Tensor, fake: Tensor, smoothing: float = 0.0, fake_smoothing: float = 0.0
) -> Tensor:
    """Binary cross-entropy, -E log D(real) - E log(1 - D(fake)) (Goodfellow et al. 2014, eq. 1).

    Smoothing the real label alone is the one-sided form of Salimans et al. 2016, Section 3.4;
    give both for the two-sided one.

    Args:
        real: logits of real rows.
        fake: logits of fake rows.
        smoothing: real rows have the label 1 minus this.
        fake_smoothing: fake rows have this label.

    Raises:
        ValueError: if a smoothing is not in [0, 0.5).

    >>> bce_loss(torch.zeros(4), torch.zeros(4))
    tensor(1.3863)
    """
    for given in (smoothing, fake_smoothing):
        if not 0 <= given < 0.5:
            raise ValueError(f"Label smoothing is {given}; expected at least 0 and below 0.5.")
    # (1 - s) softplus(-h) + s softplus(h) = softplus(-h) + s h, and its mirror image.
    real_part = F.softplus(-real) + smoothing * real
    fake_part = F.softplus(fake) - fake_smoothing * fake
    return real_part.mean() + fake_part.mean()


def least_squares_loss(real: Tensor, fake: Tensor) -> Tensor:
    """LSGAN with targets +1 and -1, so that the boundary is logit 0 (Mao et al. 2017, eq. 8)."""
    return 0.5 * ((real - 1).square().mean() + (fake + 1).square().mean())


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss with margin 1 (Miyato et al. 2018, eq. 16)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def wasserstein_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Critic loss E D(fake) - E D(real); needs a Lipschitz bound (Arjovsky et al. 2017, eq. 2)."""
    return fake.mean() - real.mean()


def non_saturating_loss(fake: Tensor) -> Tensor:
    """Generator loss -E log D(fake), steep where the generator is bad (Goodfellow et al. 2014)."""
    return F.softplus(-fake).mean()


def saturating_loss(fake: Tensor) -> Tensor:
    """Generator loss E log(1 - D(fake)) of the minimax game (Goodfellow et al. 2014, eq. 1)."""
    return -F.softplus(fake).mean()


def interpolate(real: Tensor, fake: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A uniformly random point between each real row and its fake row, ready for gradients.

    Args:
        real: rows (B, ...).
        fake: rows (B, ...).
        generator: where the mixing weights are drawn from; on the device of the rows.

    Raises:
        ValueError: if the shapes differ.
    """
    if real.shape != fake.shape:
        raise ValueError(
            f"Real rows have the shape {tuple(real.shape)} and fake rows {tuple(fake.shape)}; "
            "a point between two rows needs as many of both, equally wide: sample them so."
        )
    shape = (len(real), *(1 for _ in real.shape[1:]))
    weight = torch.rand(shape, generator=generator, device=real.device, dtype=real.dtype)
    # Within torch.autocast a generator gives half precision.
    return torch.lerp(fake.detach().to(real), real.detach(), weight).requires_grad_()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    target: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """E (||grad D(x)|| - target)^2 at points between real and fake (Gulrajani et al. 2017, eq. 3).

    Args:
        critic: maps rows (B, ...) to logits (B,), each of its own row only.
        real: rows (B, ...).
        fake: rows (B, ...), as many.
        target: the gradient norm to pull towards, in logits per unit of input.
        generator: where the mixing weights are drawn from; on the device of the rows.

    Raises:
        ValueError: if the shapes of real and fake differ.

    >>> slope = torch.tensor([3.0, 4.0])
    >>> gradient_penalty(lambda x: x @ slope, torch.randn(8, 2), torch.randn(8, 2))
    tensor(16.)
    """
    gradient = _input_gradient(critic, interpolate(real, fake, generator))
    # This norm has the derivative 0 at 0, where the square root of a sum would give NaN.
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=1)
    return (norm - target).square().mean()


def r1_penalty(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """E ||grad D(x)||^2 at real rows (Mescheder et al. 2018, eq. 9, without its factor gamma/2).

    Args:
        critic: maps rows (B, ...) to logits (B,), each of its own row only.
        real: rows (B, ...).

    >>> slope = torch.tensor([3.0, 4.0])
    >>> r1_penalty(lambda x: x @ slope, torch.randn(8, 2))
    tensor(25.)
    """
    return _input_gradient(critic, real.detach().requires_grad_()).square().sum(1).mean()


def entropy_bonus(logits: Tensor) -> Tensor:
    """Mean entropy of Bernoulli(D) in nats, to be *added* to what is maximised.

    The regulariser of Ho & Ermon's code (``logit_bernoulli_entropy``, weight 1e-3). Written in
    |logit|, so that both terms are positive and nothing cancels.

    >>> entropy_bonus(torch.zeros(3))
    tensor(0.6931)
    """
    size = logits.abs()
    return (size * torch.sigmoid(-size) + F.softplus(-size)).mean()


def logit_penalty(logits: Tensor) -> Tensor:
    """Mean squared logit; keeps the discriminator from growing sure of itself.

    >>> logit_penalty(torch.tensor([1.0, -3.0]))
    tensor(5.)
    """
    return logits.square().mean()


def _input_gradient(critic: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Gradients (B, D) at rows (B, ...); differentiable unless gradients are switched off."""
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        # Row b of the sum's gradient is the gradient of logit b.
        (gradient,) = torch.autograd.grad(critic(rows).sum(), rows, create_graph=differentiable)
    return gradient.flatten(1)


def _unknown(kind: object) -> str:
    choices = ", ".join(get_args(AdversarialLoss))
    return f"The adversarial loss is {kind!r}; expected one of {choices}."
