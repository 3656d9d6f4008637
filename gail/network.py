"""The policy whose layers are known: what files for other programs are made of."""

from __future__ import annotations

from gail.errors import GailError
from gail.policy import NormalisedPolicy
from gail.ppo import TorchPPO


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
