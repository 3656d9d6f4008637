"""PPO's loss, and what is done with the scalars that losses report."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from gail.errors import DivergenceError
from gail.presets import PPOSettings
from gail.rollout import Batch


def ppo_loss(
    values: Tensor, log_probs: Tensor, entropy: Tensor, batch: Batch, settings: PPOSettings
) -> tuple[Tensor, dict[str, Tensor]]:
    """The clipped surrogate with value loss and entropy bonus (Schulman et al. 2017, Eq. 9).

    Args:
        values: V of the batch under the current network, (B,).
        log_probs: log-probability of the batch's actions under the current policy, (B,).
        entropy: of the current policy, (B,).
        batch: what the behaviour policy did.
        settings: clip range and weights.

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
    loss = policy_loss + settings.vf_coef * value_loss - settings.ent_coef * entropy.mean()
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
