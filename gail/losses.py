"""PPO's loss, and what is done with the scalars that losses report."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from envs import BatchedEnv, SimulationError
from gail.errors import DivergenceError
from gail.presets import PPOSettings
from gail.rollout import Batch

KL_STEP = 1.5  # factor on the step size when an update's KL leaves [target / 2, 2 * target]
LEARNING_RATE_RANGE = (1e-6, 1e-2)


def ppo_loss(
    values: Tensor,
    log_probs: Tensor,
    entropy: Tensor,
    batch: Batch,
    settings: PPOSettings,
    critic_only: bool = False,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The clipped surrogate with value loss and entropy bonus (Schulman et al. 2017, Eq. 9).

    Args:
        values: V of the batch under the current network, (B,).
        log_probs: log-probability of the batch's actions under the current policy, (B,).
        entropy: of the current policy, (B,).
        batch: what the behaviour policy did.
        settings: clip range and weights.
        critic_only: leave the policy alone; the loss is the value loss.

    Returns:
        The scalar loss, and scalars to log. The KL estimate is Schulman's low-variance one
        (http://joschu.net/blog/kl-approx.html).
    """
    log_ratio = log_probs - batch.log_probs
    ratio = log_ratio.exp()
    clip = settings.clip_range
    surrogate = torch.min(
        batch.advantages * ratio, batch.advantages * ratio.clamp(1 - clip, 1 + clip)
    )
    value_loss = F.mse_loss(values, batch.returns)
    policy_loss = -surrogate.mean()
    loss = settings.vf_coef * value_loss
    if not critic_only:
        loss = policy_loss + loss - settings.ent_coef * entropy.mean()
    with torch.no_grad():
        statistics = {
            "loss": loss,
            "policy_loss": policy_loss,
            "value_loss": value_loss,
            "entropy": entropy.mean(),
            "approx_kl": (ratio - 1 - log_ratio).mean(),
            "clip_fraction": ((ratio - 1).abs() > clip).float().mean(),
        }
    return loss, {name: value.detach() for name, value in statistics.items()}


def adapted_rate(rate: Tensor, kl: Tensor, target: float) -> Tensor:
    """The step size that holds an update's KL divergence near its target, as in rsl_rl.

    Args:
        rate: of the update, ().
        kl: its KL divergence, ().
        target: the step size changes where the divergence leaves [target / 2, 2 * target].

    >>> adapted_rate(torch.tensor(3e-4), torch.tensor(0.1), target=0.01)
    tensor(0.0002)
    """
    slower = torch.where(kl > 2 * target, rate / KL_STEP, rate)
    faster = torch.where(kl < target / 2, slower * KL_STEP, slower)
    return faster.clamp(*LEARNING_RATE_RANGE)


def mean_of(statistics: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of each scalar over minibatches."""
    rows = list(statistics)
    return {name: torch.stack([row[name] for row in rows]).mean() for name in rows[0]}


def require_finite(tensors: dict[str, Tensor]) -> None:
    """Stop a run whose tensors are not all finite, naming the first; one host copy.

    Args:
        tensors: by what to call them, in the plural.

    Raises:
        DivergenceError: naming the tensor.
    """
    finite = torch.stack([torch.isfinite(tensor).all() for tensor in tensors.values()]).tolist()
    for name, good in zip(tensors, finite, strict=True):
        if not good:
            raise DivergenceError(
                f"The {name} are not finite, so training stopped; start a new run with a smaller "
                "learning rate, or correct the task if it gave them."
            )


def require_sound(engine: BatchedEnv) -> None:
    """Stop a run whose simulation went wrong; at most one host copy.

    Raises:
        DivergenceError: it did, too often to go on.
    """
    try:
        engine.check()
    except SimulationError as error:
        raise DivergenceError(str(error)) from error
