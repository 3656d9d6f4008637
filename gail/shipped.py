"""Where the project's own demonstrations and policies lie, in a checkout or an installed wheel.

The files of a task start with its id in lower case, ``/`` as ``-``: demonstrations are
``ant-v5.npz``, a policy that imitates them ``ant-v5-imitator.zip``, and the weights of the expert
that recorded them ``ant-v5-expert.zip``.
"""

from __future__ import annotations

from pathlib import Path

from gail.errors import DemonstrationError, GailError

# A checkout keeps the shipped data beside the package, a wheel inside it.
FOLDERS = (
    Path(__file__).resolve().parent.parent / "expert_data",
    Path(__file__).resolve().parent / "expert_data",
)
ROLES = ("imitator", "expert")  # of policies; the first there is, is taken


def data_file(env_id: str) -> Path:
    """The project's own demonstrations of a task.

    Raises:
        DemonstrationError: if there are none; the message names the tasks there are.

    >>> data_file("toy/PointMass-v0").name
    'toy-pointmass-v0.npz'
    """
    found = _find(f"{_stem(env_id)}.npz")
    if found is None:
        raise DemonstrationError(
            f"No demonstrations of {env_id} are shipped (there are: {_listed('.npz')}); "
            "give your own with --demonstrations FILE, or make some with gail collect."
        )
    return found


def policy_file(env_id: str) -> Path:
    """The project's own policy of a task: an imitator, else the expert itself.

    Raises:
        GailError: if there is none; the message names the tasks there are.

    >>> policy_file("Humanoid-v5").suffix
    '.zip'
    """
    for role in ROLES:
        found = _find(f"{_stem(env_id)}-{role}.zip")
        if found is not None:
            return found
    endings = tuple(f"-{role}.zip" for role in ROLES)
    raise GailError(
        f"No policy of {env_id} is shipped (there are: {_listed(*endings)}); "
        f"train one with gail train --env {env_id}."
    )


def role(file: Path) -> str:
    """What a shipped policy is, ``"imitator"`` or ``"expert"``.

    >>> role(Path("humanoid-v5-expert.zip"))
    'expert'
    """
    return file.stem.rpartition("-")[2]


def _stem(env_id: str) -> str:
    return env_id.lower().replace("/", "-")


def _find(name: str) -> Path | None:
    return next((folder / name for folder in FOLDERS if (folder / name).is_file()), None)


def _listed(*endings: str) -> str:
    names = {file.name for folder in FOLDERS for file in folder.glob("*")}
    tasks = {n.removesuffix(e) for e in endings for n in names if n.endswith(e)}
    return ", ".join(sorted(tasks)) or "none"
