"""``gail.load``: any saved model, whichever algorithm trained it."""

from __future__ import annotations

from pathlib import Path

import torch

from gail import checkpoint
from gail.algorithm import GAIL
from gail.persistence import with_suffix
from gail.ppo import TorchPPO


def load(path: str | Path, device: torch.device | str = "auto") -> TorchPPO:
    """Load a saved policy for prediction.

    Args:
        path: a file that ``model.save`` or ``model.save_checkpoint`` wrote.
        device: where to put it.

    Raises:
        CheckpointError: if the file is missing, damaged or of another kind.
    """
    metadata, _ = checkpoint.read(with_suffix(path))
    algorithm = GAIL if metadata.get("algorithm") == GAIL.__name__ else TorchPPO
    return algorithm.load(path, device=device)
