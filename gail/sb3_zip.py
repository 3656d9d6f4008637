"""What a zip of Stable-Baselines3 says of a policy, read without running anything in it.

Beside the weights (``policy.pth``) the zip holds JSON with pickles in it as text. The pickles stay
shut; what else the JSON tells in words is enough to know the activation.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from gail.errors import CheckpointError
from gail.presets import Activation
from gail.torch_file import read_tensors
from generative.files import check_zip_directory

WEIGHTS = "policy.pth"
_ACTIVATIONS: dict[str, Activation] = {"ELU": "elu", "ReLU": "relu", "Tanh": "tanh"}
# What reading a damaged file can raise beside ValueError: zipfile's own errors, torch's among them.
_DAMAGE = (zipfile.BadZipFile, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError)


class SB3Zip(NamedTuple):
    """The content of a zip."""

    tensors: dict[str, Tensor]  # of the policy, by SB3's names
    activation: str | None  # as the zip calls it; None where it does not tell
    steps: int  # of its training


def read_zip(path: Path) -> SB3Zip:
    """Read the weights, and what the zip tells of the network in words.

    Raises:
        CheckpointError: if the file is missing, damaged or not of Stable-Baselines3.
    """
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}; give a zip that Stable-Baselines3 saved.")
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip_directory(archive, path)
            if WEIGHTS not in archive.namelist():
                raise ValueError(f"it has no {WEIGHTS}")
            tensors = read_tensors(archive.read(WEIGHTS))
            told = json.loads(archive.read("data")) if "data" in archive.namelist() else {}
    except _DAMAGE as error:
        raise CheckpointError(
            f"{path} is damaged or no zip that Stable-Baselines3 saved ({error}); save it again."
        ) from error
    steps = told.get("num_timesteps", 0) if isinstance(told, dict) else 0
    return SB3Zip(tensors, _activation(told), steps if isinstance(steps, int) else 0)


def is_sb3_zip(path: Path) -> bool:
    """Whether a file looks like a zip of Stable-Baselines3."""
    try:
        with zipfile.ZipFile(path) as archive:
            return WEIGHTS in archive.namelist()
    except _DAMAGE:
        return False


def _activation(told: Any) -> str | None:
    """The activation's class as the JSON names it; Tanh, SB3's default, where it is silent.

    >>> _activation({"policy_kwargs": {"activation_fn": "<class 'torch.nn.modules...ReLU'>"}})
    'ReLU'
    """
    if not isinstance(told, dict) or "policy_kwargs" not in told:
        return None
    kwargs = told["policy_kwargs"]
    words = kwargs.get("activation_fn", "Tanh") if isinstance(kwargs, dict) else ""
    found = re.search(r"(\w+)\W*$", str(words))
    return found[1] if found else None


def known_activation(path: Path, told: str | None) -> Activation:
    """The activation by this project's name.

    Raises:
        CheckpointError: if the zip does not tell, or it is none that policies here have.
    """
    if told not in _ACTIVATIONS:
        what = "does not tell its activation" if told is None else f"has the activation {told}"
        raise CheckpointError(
            f"{path} {what}, expected one of {', '.join(_ACTIVATIONS)}; name the one it was "
            "trained with, as in activation='relu'."
        )
    return _ACTIVATIONS[told]
