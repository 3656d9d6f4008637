"""``gail.load``: any saved model, whichever algorithm trained it; ``gail.pretrained``: ours."""

from __future__ import annotations

from pathlib import Path

import torch

from gail import checkpoint, shipped
from gail.algorithm import GAIL
from gail.errors import CheckpointError
from gail.persistence import with_suffix
from gail.ppo import TorchPPO
from gail.sb3_zip import is_sb3_zip


def load(path: str | Path, device: torch.device | str = "auto") -> TorchPPO:
    """Load a saved policy for prediction.

    Args:
        path: a file that ``model.save`` or ``model.save_checkpoint`` wrote.
        device: where to put it.

    Raises:
        CheckpointError: if the file is missing, damaged or of another kind.
    """
    path = with_suffix(path)
    if is_sb3_zip(path):
        raise CheckpointError(
            f"{path} is a zip of Stable-Baselines3; read it with gail.from_sb3 and save what that "
            "gives."
        )
    metadata, _ = checkpoint.read(path)
    algorithm = GAIL if metadata.get("algorithm") == GAIL.__name__ else TorchPPO
    return algorithm.load(path, device=device)


def pretrained(env_id: str, device: torch.device | str = "auto") -> TorchPPO:
    """Load the policy of a task that ships with the project.

    Args:
        env_id: Gymnasium id.
        device: where to put it.

    Raises:
        GailError: if there is none; the message names the tasks there are.

    >>> pretrained("Humanoid-v5", device="cpu").action_space.shape
    (17,)
    """
    return load(shipped.policy_file(env_id), device)
