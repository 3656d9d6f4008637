"""Rewards as one-line functions of the discriminator's logit.

With D = sigmoid(logit) the probability that a transition is the expert's, every shape below
grows with the logit where imitation needs it to, and is written with softplus so that neither
a large logit nor a small one loses precision. log D = -softplus(-logit) and
log(1 - D) = -softplus(logit).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from gail.presets import RewardShape


def gail(logits: Tensor) -> Tensor:
    """-log(1 - D), positive: never a reason to end an episode (Ho & Ermon 2016, Algorithm 1)."""
    return F.softplus(logits)


def bounded(logits: Tensor) -> Tensor:
    """D, between 0 and 1."""
    return torch.sigmoid(logits)


def airl(logits: Tensor) -> Tensor:
    """log D - log(1 - D), the logit itself: either sign (Fu et al. 2018, Section 4)."""
    return logits


def fairl(logits: Tensor) -> Tensor:
    """-h exp(h) with h the logit: matches by forward KL (Ghasemipour et al. 2020, Table 1)."""
    return -logits * torch.exp(logits.clamp(max=10.0))


def log_d(logits: Tensor) -> Tensor:
    """log D, negative: for tasks whose episodes do not end early."""
    return -F.softplus(-logits)


def constant(logits: Tensor) -> Tensor:
    """log 2 whatever the logit, as if D were 1/2: the control that shows what D adds."""
    return torch.full_like(logits, math.log(2.0))


REWARDS: dict[RewardShape, Callable[[Tensor], Tensor]] = {
    "gail": gail,
    "bounded": bounded,
    "airl": airl,
    "fairl": fairl,
    "log_d": log_d,
    "constant": constant,
}
