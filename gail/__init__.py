"""Generative adversarial imitation learning: demonstrations in, a policy out.

>>> from gail import GAIL, Demonstrations, evaluate
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gail.algorithm import GAIL
    from gail.cloning import clone
    from gail.demonstrations import Demonstrations
    from gail.errors import CheckpointError, DemonstrationError, DivergenceError
    from gail.evaluation import evaluate
    from gail.loading import load, pretrained
    from gail.ppo import TorchPPO
    from gail.presets import Settings, preset
    from gail.rendering import record
    from gail.sb3_export import to_sb3
    from gail.sb3_import import from_sb3

__all__ = [
    "GAIL",
    "CheckpointError",
    "DemonstrationError",
    "Demonstrations",
    "DivergenceError",
    "Settings",
    "TorchPPO",
    "clone",
    "evaluate",
    "from_sb3",
    "load",
    "preset",
    "pretrained",
    "record",
    "to_sb3",
]

# Names are imported when first used, so that ``gail --help`` does not wait for PyTorch.
_HOMES = {
    "GAIL": "algorithm",
    "TorchPPO": "ppo",
    "CheckpointError": "errors",
    "DemonstrationError": "errors",
    "DivergenceError": "errors",
    "Demonstrations": "demonstrations",
    "Settings": "presets",
    "preset": "presets",
    "clone": "cloning",
    "evaluate": "evaluation",
    "load": "loading",
    "pretrained": "loading",
    "record": "rendering",
    "from_sb3": "sb3_import",
    "to_sb3": "sb3_export",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gail' has no attribute {name!r}")
    return getattr(import_module(f"gail.{_HOMES[name]}"), name)


def _check_neighbours() -> None:
    """PyPI has other packages named ``envs`` and ``generative``; ours lie beside this one."""
    here = Path(__file__).resolve().parent.parent
    for name in ("envs", "generative"):
        spec = find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve().parents[1] != here:
            raise ImportError(
                f"import gail found the package {name!r} at {spec and spec.origin}, which is not "
                f"this project's; uninstall the other distribution that provides {name!r}."
            )


_check_neighbours()
