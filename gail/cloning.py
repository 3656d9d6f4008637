"""Behavioural cloning: the policy's mean regressed on the expert's actions.

Alone it is the baseline that imitation has to beat; before the first rollout it spares GAIL the
part of the search where policy and expert share no states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gail.demonstrations import Transitions
from gail.discriminator import random_rows
from gail.losses import require_finite
from gail.policy import NormalisedPolicy, log_prob
from gail.presets import CloningSettings


def start_statistics(
    policy: NormalisedPolicy, expert: Transitions, settings: CloningSettings
) -> None:
    """Start the policy's observation statistics at the expert's, for a policy without any.

    They count for ``settings.statistics_rows`` rows at least: statistics that followed the first
    rollouts would shift the cloned network's inputs.

    Args:
        policy: changed in place.
        expert: transitions on the policy's device.
        settings: how much the statistics count.
    """
    policy.normaliser.update(expert.obs)
    policy.normaliser.count.fill_(max(len(expert.obs), settings.statistics_rows))


def clone(
    policy: NormalisedPolicy,
    expert: Transitions,
    settings: CloningSettings,
    generator: torch.Generator,
) -> Tensor:
    """Fit the policy's mean action to the expert's, in half-ranges of the action box.

    The standard deviation is left as it is: fitted too, it would shrink to the expert's, which
    for a deterministic expert leaves reinforcement learning nothing to explore with.

    Args:
        policy: its actor and its normaliser's fixed statistics are used; changed in place.
        expert: transitions on the policy's device.
        settings: steps, step size and minibatch.
        generator: picks the minibatches.

    Returns:
        The mean squared error of every step, (steps,).

    Raises:
        DivergenceError: if the error is not finite.
    """
    if settings.steps == 0:
        return torch.zeros(0)
    actor = [*policy.mlp_extractor.policy_net.parameters(), *policy.action_net.parameters()]
    optimizer = torch.optim.Adam(actor, lr=settings.learning_rate, fused=True)
    features = policy.normaliser(expert.obs)
    losses = []
    for _ in range(settings.steps):
        rows = random_rows(len(features), settings.batch_size, generator)
        mean, _ = policy.gaussian(policy.mlp_extractor.forward_actor(features[rows]))
        error = (mean - expert.action[rows]) / policy.action_half_range
        loss = error.square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.detach())
    error_curve = torch.stack(losses)
    require_finite({"cloning losses": error_curve})
    return error_curve


def cloning_weight(settings: CloningSettings, progress: float) -> float:
    """The weight of the cloning loss beside PPO's: linear from ``weight`` to 0, then 0.

    Args:
        settings: the weight at the start and the share of the steps that it fades in.
        progress: share of the steps that is done.

    >>> [cloning_weight(CloningSettings(weight=2.0, fade=0.5), done) for done in (0.0, 0.25, 0.9)]
    [2.0, 1.0, 0.0]
    """
    return settings.weight * max(0.0, 1.0 - progress / settings.fade)


def cloning_loss(policy: NormalisedPolicy, obs: Tensor, action: Tensor) -> Tensor:
    """The expert's negative log-likelihood, -log pi(a|s), averaged over its rows.

    Beside a reinforcement-learning loss it keeps the policy near the expert while the reward is
    still coarse (Rajeswaran et al. 2018, Eq. 4). As in :func:`clone` the standard deviation is
    left alone.

    Args:
        policy: whose mean gets the gradient.
        obs: the expert's observations (B, O).
        action: the expert's actions (B, A).
    """
    mean, log_std = policy.gaussian(policy.mlp_extractor.forward_actor(policy.normaliser(obs)))
    return -log_prob(action, mean, log_std.detach()).mean()
