"""What a trained policy computes, as plain layers: for files that other programs read."""

from __future__ import annotations

import torch
from torch import Tensor

from gail.errors import GailError
from gail.policy import NormalisedPolicy
from gail.ppo import TorchPPO
from generative.normaliser import RunningNorm


def plain_policy(model: TorchPPO) -> NormalisedPolicy:
    """The model's policy, if it is the one whose layers are known.

    Raises:
        GailError: it is of a class of the user's own.
    """
    if type(model.policy) is not NormalisedPolicy:
        raise GailError(
            f"The policy is a {type(model.policy).__name__}, whose layers are not known here; only "
            "'MlpPolicy' can be exported."
        )
    return model.policy


def affine(normaliser: RunningNorm) -> tuple[Tensor, Tensor]:
    """Mean (O,) and scale (O,) of a normaliser: its output is their product with the deviation.

    >>> affine(RunningNorm(1))
    (tensor([0.]), tensor([1.]))
    """
    one = torch.ones_like(normaliser.mean)
    varies = normaliser.inverse(one) != normaliser.mean
    return normaliser.mean.clone(), torch.where(varies, 1 / normaliser.std, 0.0)
