"""The discriminator: a classifier of transitions into expert (label 1) and policy (label 0)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from gymnasium import spaces
from torch import Tensor, nn

from gail.policy import action_units
from gail.presets import DiscriminatorSettings
from generative import (
    RunningNorm,
    discriminator_loss,
    entropy_bonus,
    gradient_penalty,
    logit_penalty,
    mlp,
    r1_penalty,
)


class Discriminator(nn.Module):
    """Maps transitions to logits; a high logit means expert-like.

    Its input is a row of the parts that ``settings.inputs`` names: observations normalised by
    running statistics over expert *and* policy, and actions clipped to the box and divided by
    its half-range.

    Args:
        observation_width: O.
        action_space: flat box (A,).
        settings: inputs, network and losses.

    >>> box = spaces.Box(-1.0, 1.0, (2,))
    >>> discriminator = Discriminator(3, box, DiscriminatorSettings())
    >>> discriminator(torch.zeros(5, 3), torch.zeros(5, 2), torch.zeros(5, 3)).shape
    torch.Size([5])
    """

    action_centre: Tensor  # (A,)
    action_half_range: Tensor  # (A,)

    def __init__(
        self, observation_width: int, action_space: spaces.Box, settings: DiscriminatorSettings
    ) -> None:
        super().__init__()
        centre, half_range = action_units(action_space)
        self.register_buffer("action_centre", centre, persistent=False)
        self.register_buffer("action_half_range", half_range, persistent=False)
        self.inputs = settings.inputs
        self.normaliser = RunningNorm(observation_width)
        width = observation_width * settings.inputs.count("s") + len(centre) * ("a" in self.inputs)
        self.net = mlp(width, settings.hidden, 1, spectral_norm=settings.spectral_norm)

    def forward(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """Logits (B,) of transitions: obs (B, O), action (B, A) in task units, next_obs (B, O)."""
        return self.logits(self.features(obs, action, next_obs))

    def features(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> Tensor:
        """The network's input (B, F)."""
        parts = [self.normaliser(obs)]
        if "a" in self.inputs:
            scaled = (action - self.action_centre) / self.action_half_range
            parts.append(scaled.clamp(-1.0, 1.0))
        if self.inputs in ("ss", "sas"):
            parts.append(self.normaliser(next_obs))
        return torch.cat(parts, dim=-1)

    def seen(self, obs: Tensor, action: Tensor, next_obs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions as above, without the columns that are no input, to keep them in less."""
        inputs = self.inputs
        return (
            obs,
            action if "a" in inputs else action[:, :0],
            next_obs if inputs.count("s") == 2 else next_obs[:, :0],
        )

    def logits(self, features: Tensor) -> Tensor:
        """Logits (B,) of network inputs (B, F)."""
        logits: Tensor = self.net(features).squeeze(-1)
        return logits


def adversarial_loss(
    discriminator: Discriminator,
    expert: Tensor,
    policy: Tensor,
    settings: DiscriminatorSettings,
    generator: torch.Generator,
) -> tuple[Tensor, dict[str, Tensor]]:
    """What the discriminator minimises on one minibatch, and scalars to log.

    With the binary cross-entropy this is the negative of Ho & Ermon 2016, Eq. 17, plus the
    regularisers whose weights are not zero.

    Args:
        discriminator: gives logits.
        expert: network inputs of expert rows, (B, F).
        policy: network inputs of policy rows, (B, F).
        settings: loss and weights.
        generator: for the gradient penalty's random points.
    """
    expert_logits, policy_logits = discriminator.logits(torch.cat([expert, policy])).chunk(2)
    loss = discriminator_loss(settings.loss, expert_logits, policy_logits, settings.label_smoothing)
    statistics = {
        "loss": loss.detach(),
        "accuracy_expert": (expert_logits > 0).float().mean(),
        "accuracy_policy": (policy_logits < 0).float().mean(),
        "logit_expert": expert_logits.detach().mean(),
        "logit_policy": policy_logits.detach().mean(),
    }
    if settings.gradient_penalty:
        penalty = gradient_penalty(
            discriminator.logits,
            expert,
            policy,
            target=settings.gradient_target,
            generator=generator,
        )
        statistics["gradient_penalty"] = penalty.detach()
        loss = loss + settings.gradient_penalty * penalty
    if settings.r1_penalty:
        loss = loss + settings.r1_penalty * r1_penalty(discriminator.logits, expert)
    if settings.logit_penalty:
        loss = loss + settings.logit_penalty * (
            logit_penalty(expert_logits) + logit_penalty(policy_logits)
        )
    if settings.entropy_bonus:
        logits = torch.cat([expert_logits, policy_logits])
        loss = loss - settings.entropy_bonus * entropy_bonus(logits)
    return loss, statistics


@dataclass
class Replay:
    """The transitions of the policy's last rollouts, on the device, oldest overwritten first.

    Old rows keep the discriminator from forgetting what the policy no longer does.

    Attributes:
        capacity: how many rollouts are kept.
        rollouts: ring of (obs, action, next_obs) tensors, each (R, T * N, ...).
        seen: rollouts added so far.
    """

    capacity: int
    rollouts: tuple[Tensor, ...] = field(default=())
    seen: int = 0

    def add(self, *columns: Tensor) -> None:
        """Add one rollout's rows (T * N, ...)."""
        if not self.rollouts:
            self.rollouts = tuple(
                torch.zeros(self.capacity, *column.shape, device=column.device)
                for column in columns
            )
        for ring, column in zip(self.rollouts, columns, strict=True):
            ring[self.seen % self.capacity].copy_(column)
        self.seen += 1

    def sample(self, rows: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Random rows (B, ...) of what is held, with replacement."""
        held = min(self.seen, self.capacity) * self.rollouts[0].shape[1]
        chosen = random_rows(held, rows, generator)
        return tuple(ring.flatten(0, 1)[chosen] for ring in self.rollouts)


def random_rows(count: int, rows: int, generator: torch.Generator) -> Tensor:
    """``rows`` random indices below ``count``, with replacement, on the generator's device."""
    return torch.randint(count, (rows,), generator=generator, device=generator.device)
