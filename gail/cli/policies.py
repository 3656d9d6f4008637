"""Finding the policy that a flag names."""

from __future__ import annotations

import zipfile
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gail.errors import GailError

if TYPE_CHECKING:
    from gail.demonstrations import Demonstrations
    from gail.playing import Policy
    from gail.ppo import TorchPPO

POLICY_FILE = "policy.zip"


def policy_file(path: Path) -> Path:
    """The policy of a run's folder, or the path itself.

    A run that has not ended gives its newest undamaged checkpoint.

    Raises:
        GailError: if there is none, or the path is a file of demonstrations.
    """
    if not path.is_dir():
        if _holds_arrays(path):
            raise GailError(
                f"{path} holds arrays, as files of demonstrations do, and a policy is expected; "
                "give a saved policy, a checkpoint or a run's folder."
            )
        return path
    if (path / POLICY_FILE).is_file():
        return path / POLICY_FILE
    from gail.runs import RunFolder

    return RunFolder.open(path).latest_checkpoint()


def _holds_arrays(path: Path) -> bool:
    """Whether a file is an .npz, whatever its name."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False  # missing, damaged or something else, which whoever reads it tells


def load_policy(path: Path, env_id: str | None, device: str = "cpu") -> tuple[TorchPPO, str]:
    """Load a saved policy, and name the task to play it in.

    Args:
        path: a saved model, a checkpoint or a run's folder.
        env_id: the task asked for; by default the one it was trained on.
        device: where to put it.

    Raises:
        GailError: if it cannot be read or does not fit the task.
    """
    from gail.loading import load
    from gail.playing import make

    file = policy_file(path)
    model = load(file, device)
    env_id = env_id or model.env_id
    if env_id is None:
        raise GailError(f"{file} does not name its task; give it with --env.")
    env = make(env_id)
    widths = _widths(env)
    env.close()
    if widths != _widths(model):
        raise GailError(
            f"{file} was trained on {model.env_id} with observations and actions of widths "
            f"{_widths(model)}, and {env_id} has {widths}; give a policy of that task."
        )
    return model, env_id


def load_expert(name: str, env_id: str) -> Demonstrations | TorchPPO:
    """What stands beside a policy: demonstrations, or another policy (``.zip``, a run's folder).

    Raises:
        GailError: if it cannot be read or is of another task.
    """
    path = Path(name)
    if path.suffix == ".zip" or (path / "config.json").is_file():
        return load_policy(path, env_id)[0]
    from gail.demonstrations import Demonstrations

    return Demonstrations.load(name, env_id=env_id)


def with_faults(
    model: TorchPPO, env_id: str, share: float, repair: str | None, seed: int = 0
) -> Policy:
    """The policy with the sensors that it is left with, the others filled in.

    Args:
        model: the policy.
        env_id: the task, which a repair's model must be of.
        share: of the sensors that fail; with 0 the policy is returned as it is.
        repair: a name or file, see :func:`gail.repair.named`; None lets failed sensors read 0.
        seed: of the choice of sensors.

    Raises:
        GailError: if the share or the repair cannot be used.
    """
    if not share:
        if repair is not None:
            raise GailError(
                f"--repair {repair} fills in sensors that fail; add --drop-sensors 0.3, say."
            )
        return model
    from gail.playing import ROWS
    from gail.repair import named
    from gail.sensors import FaultyPolicy, SensorFaults

    assert model.observation_space.shape is not None
    faults = SensorFaults(model.observation_space.shape[0], share, seed)
    means = model.policy.normaliser.mean
    return FaultyPolicy(model, faults, named(repair or "zero", ROWS, env_id, means))


def mean_return(demonstrations: Demonstrations | None) -> float | None:
    """Mean return of the episodes, None where unknown."""
    if demonstrations is None or demonstrations.returns is None:
        return None
    return float(demonstrations.returns.mean())


def _widths(spaces: Any) -> tuple[int, int]:
    shapes = (spaces.observation_space.shape, spaces.action_space.shape)
    return prod(shapes[0]), prod(shapes[1])
