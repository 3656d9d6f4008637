"""Posteriors by inverse autoregressive flow (Kingma et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Transform, TransformedDistribution, constraints
from torch.nn import functional as F

from generative.coders import widths
from generative.latents import (
    GaussianHead,
    GaussianPosterior,
    Posterior,
    StandardNormal,
    log_normal,
)
from generative.masked import AutoregressiveNet

_DRAWS = 64  # that a posterior's mean is estimated from
_OPEN = 1.5  # what is added to a gate's logit: at first a step keeps most of z


@dataclass(frozen=True)
class InverseAutoregressive(StandardNormal):
    """Prior N(0, I); posteriors are diagonal Gaussians sent through autoregressive steps.

    Each step maps z to σ z + (1 - σ) m, where σ_i in (0, 1) and m_i depend on z_1 ... z_{i-1} and
    on x (Kingma et al. 2016, eqs. 13-14). Its Jacobian is triangular, so that log q falls by
    Σ log σ. Between steps the order is reversed. Drawing is one pass a step; the density of a z
    from elsewhere takes Z passes.

    >>> posterior = InverseAutoregressive(4, steps=2).head(16)(torch.zeros(5, 16))
    >>> z, log_q = posterior.sample(3)
    >>> torch.allclose(posterior.log_prob(z), log_q, atol=1e-4)
    True
    """

    steps: int = 2
    """How many maps follow each other."""
    hidden: Sequence[int] = (320,)
    """Widths of the hidden layers of each map's net."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "hidden", widths("InverseAutoregressive", "hidden", self.hidden))
        if self.steps < 1:
            raise ValueError(
                f"InverseAutoregressive was given steps={self.steps}; give 1 or more, or use "
                "DiagonalGaussian."
            )

    def head(self, features: int) -> nn.Module:
        """The first Gaussian and the steps."""
        return FlowHead(features, self)


class Step(nn.Module):
    """One map z to σ z + (1 - σ) m.

    Args:
        width: Z.
        hidden: widths of the hidden layers.
        features: F, of the encoder.
    """

    def __init__(self, width: int, hidden: Sequence[int], features: int) -> None:
        super().__init__()
        self.net = AutoregressiveNet(width, hidden, features, 2)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """The new z (..., B, Z) and log |det| (..., B)."""
        m, logit = self.net(z, context).unbind(-1)
        logit = logit + _OPEN
        moved = m + logit.sigmoid() * (z - m)
        return moved, F.logsigmoid(logit).sum(-1)

    def inverse(self, moved: Tensor, context: Tensor) -> Tensor:
        """The z that ``forward`` moved, one dimension after another."""
        z = torch.zeros_like(moved)
        for i in range(z.shape[-1]):
            m, logit = self.net(z, context)[..., i, :].unbind(-1)
            value = m + (moved[..., i] - m) / (logit + _OPEN).sigmoid()
            z = torch.cat([z[..., :i], value[..., None], z[..., i + 1 :]], -1)
        return z


class FlowHead(nn.Module):
    """Features to a flow posterior."""

    def __init__(self, features: int, latent: InverseAutoregressive) -> None:
        super().__init__()
        self.first = GaussianHead(features, latent.width)
        self.steps = nn.ModuleList(
            Step(latent.width, latent.hidden, features) for _ in range(latent.steps)
        )

    def forward(self, features: Tensor) -> FlowPosterior:
        """The posterior of features (B, F)."""
        transforms = []
        for step in self.steps:
            assert isinstance(step, Step)
            transforms.append(StepTransform(step, step.net.context(features)))
        return FlowPosterior(self.first(features), transforms)


class FlowPosterior(Posterior):
    """A diagonal Gaussian and what it is sent through, against the prior N(0, I).

    Args:
        first: the Gaussian.
        transforms: the steps, bound to the features of these B rows.
    """

    def __init__(self, first: GaussianPosterior, transforms: list[StepTransform]) -> None:
        self.first, self.transforms = first, transforms

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draws of the Gaussian, moved; log q falls by each log-determinant."""
        z, log_q = self.first.sample(n, generator)
        for transform in self.transforms:
            z, log_det = transform.move(z)
            log_q = log_q - log_det
        return z, log_q

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density by undoing the steps, Z passes each."""
        density: Tensor = self.distribution.log_prob(z)
        return density

    def kl(self, z: Tensor, log_q: Tensor) -> Tensor:
        """Mean of log q - log p over the draws; there is no closed form."""
        return (log_q - log_normal(z)).mean(0)

    @property
    def mean(self) -> Tensor:
        """The mean of 64 draws, always of the same noise."""
        device = self.first.std.device
        return self.sample(_DRAWS, torch.Generator(device).manual_seed(0))[0].mean(0)

    @property
    def mode(self) -> Tensor:
        """Where the steps send the Gaussian's mean."""
        z = self.first.mean
        for transform in self.transforms:
            z = transform.move(z)[0]
        return z

    @property
    def distribution(self) -> Distribution:
        """The transformed Gaussian."""
        flow: list[Transform] = [*self.transforms]
        return TransformedDistribution(self.first.distribution, flow, validate_args=False)


class StepTransform(Transform):
    """A step for B rows as torch.distributions knows transforms; then the order is reversed."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(self, step: Step, context: Tensor) -> None:
        super().__init__()
        self.step, self.context = step, context

    def move(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The new z and log |det|."""
        moved, log_det = self.step(z, self.context)
        return moved.flip(-1), log_det

    def _call(self, x: Tensor) -> Tensor:
        return self.move(x)[0]

    def _inverse(self, y: Tensor) -> Tensor:
        return self.step.inverse(y.flip(-1), self.context)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Σ log σ."""
        return self.move(x)[1]
