"""Demonstrations as Minari datasets: ``<folder>/data/`` with metadata.json and main_data.hdf5.

HDF5 datasets, Minari's default, are read with h5py alone; Arrow and Parquet ones and writing need
the package ``minari``. Rewards that are all NaN stand for unknown ones.

A dataset's id is its folder's path below Minari's root (``MINARI_DATASETS_PATH``, else
``~/.minari/datasets``), where ``minari.load_dataset`` finds it; elsewhere it is the folder's
name. It ends in a version, as ``ant-expert-v0``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from gail.episodes import AnyPath, Episode, Recording
from gail.errors import DemonstrationError
from generative.files import replacing_folder

_ID = re.compile(r"[-_\w/]*[-_\w]+-v\d+")
MAIN_FILE = "main_data.hdf5"
_META_FILE = "metadata.json"


def _root() -> Path:
    """Where Minari keeps local datasets."""
    told = os.environ.get("MINARI_DATASETS_PATH")
    return Path(told) if told else Path.home() / ".minari" / "datasets"


def local_folder(dataset_id: str) -> Path | None:
    """The folder of a local Minari dataset, or None if ``dataset_id`` is not written like one.

    Raises:
        DemonstrationError: if it is written like one but there is no such dataset.
    """
    if not _ID.fullmatch(dataset_id):
        return None
    folder = _root() / dataset_id
    if is_dataset(folder):
        return folder
    raise DemonstrationError(
        f"{dataset_id} is neither a file nor a Minari dataset in {_root()}; "
        f"fetch it first, if it is one: minari download {dataset_id}"
    )


def is_dataset(folder: Path) -> bool:
    """Whether ``folder``, or ``data`` in it, holds a Minari dataset."""
    data = _data_folder(folder)
    return (data / _META_FILE).is_file() or (data / MAIN_FILE).is_file()


def _data_folder(folder: Path) -> Path:
    return folder / "data" if (folder / "data").is_dir() else folder


def read_folder(folder: Path) -> Recording:
    """Read a Minari dataset of flat observations and actions.

    Raises:
        DemonstrationError: if a package is missing, or the dataset is damaged or not flat.
    """
    data, name = _data_folder(folder), folder.name
    try:
        about = json.loads((data / _META_FILE).read_text()) if (data / _META_FILE).exists() else {}
        if about.get("data_format", "hdf5") == "hdf5":
            episodes, attributes = _read_hdf5(data / MAIN_FILE, name)
            about = attributes | about
        else:
            dataset = _import_minari(name).MinariDataset(data)
            episodes = [_episode(name, vars(episode)) for episode in dataset.iterate_episodes()]
        env_id = json.loads(about["env_spec"])["id"] if "env_spec" in about else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        if isinstance(error, DemonstrationError):
            raise
        raise DemonstrationError(
            f"{name} is a damaged Minari dataset ({error}); download or record it again."
        ) from error
    return Recording(episodes, env_id, _mujoco_version(about.get("requirements", [])))


def _read_hdf5(path: Path, name: str) -> tuple[list[Episode], dict[str, Any]]:
    h5py = import_h5py(name)
    with h5py.File(path, "r") as file:
        keys = sorted((k for k in file if k.startswith("episode_")), key=_number)
        return [_read_episode(f"{name}: {key}", file[key], h5py) for key in keys], dict(file.attrs)


def _number(key: str) -> int:
    return int(key.removeprefix("episode_"))


def _read_episode(name: str, group: Any, h5py: Any) -> Episode:
    for field in ("observations", "actions"):
        if not isinstance(group[field], h5py.Dataset):
            raise _not_flat(name, field)
    fields = ("observations", "actions", "rewards", "terminations", "truncations")
    return _episode(name, {f: group[f][()] for f in fields} | {"seed": group.attrs.get("seed")})


def _episode(name: str, fields: dict[str, Any]) -> Episode:
    for field in ("observations", "actions"):
        if not isinstance(fields[field], np.ndarray):
            raise _not_flat(name, field)
    rewards = np.asarray(fields["rewards"])
    observations, actions = fields["observations"], fields["actions"]
    seed = fields.get("seed")
    return Episode(
        observations[:, None] if observations.ndim == 1 else observations,
        actions[:, None] if actions.ndim == 1 else actions,
        None if np.isnan(rewards).all() else rewards,
        bool(np.any(fields["terminations"][-1:])),
        bool(np.any(fields["truncations"][-1:])),
        None if seed is None else int(seed),
    )


def _not_flat(name: str, field: str) -> DemonstrationError:
    return DemonstrationError(
        f"{name}: field {field} is a dictionary or tuple, expected one array; flatten the "
        "observations (gymnasium.wrappers.FlattenObservation) and record again."
    )


def _mujoco_version(requirements: Iterable[str]) -> str | None:
    found = [str(r).removeprefix("mujoco==") for r in requirements if str(r)[:8] == "mujoco=="]
    return found[0] if found else None


def write_folder(recording: Recording, path: AnyPath, *, overwrite: bool = False) -> None:
    """Write a Minari dataset folder in one piece.

    Raises:
        GailError: if ``path`` exists without ``overwrite``, or cannot be written.
        DemonstrationError: if Minari is missing or the folder's name is no Minari id.
    """
    target = Path(path)
    minari = _import_minari(target.name)
    from minari.data_collector.episode_buffer import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

    about: dict[str, Any] = {"dataset_id": _id_of(target), "minari_version": minari.__version__}
    if recording.mujoco_version is not None:
        about["requirements"] = [f"mujoco=={recording.mujoco_version}"]
    spec, box = _task(recording.env_id, recording.episodes[0].actions.shape[1])
    width = recording.episodes[0].observations.shape[1]
    with replacing_folder(
        target, replace_if_holds=f"data/{_META_FILE}" if overwrite else None
    ) as folder:
        storage = MinariStorage.new(
            folder.absolute() / "data",  # Minari joins a relative path to itself
            observation_space=spaces.Box(-np.inf, np.inf, (width,), np.float32),
            action_space=box,
            env_spec=spec,
        )
        storage.update_metadata(about)
        storage.update_episodes(EpisodeBuffer(**_buffer(e)) for e in recording.episodes)


def _id_of(folder: Path) -> str:
    """The dataset id a folder stands for: its path below Minari's root, else its name."""
    folder = folder.expanduser().resolve()
    root = _root().resolve()
    text = folder.relative_to(root).as_posix() if folder.is_relative_to(root) else folder.name
    if not _ID.fullmatch(text):
        raise DemonstrationError(
            f"{text} is no Minari id, expected a name with a version; end the folder's name in "
            "-v0, as in ant-expert-v0."
        )
    return text


def _task(env_id: str | None, action_width: int) -> tuple[Any, spaces.Space[Any]]:
    """The specification and action box of the task, unbounded where it is not registered here."""
    unbounded = spaces.Box(-np.inf, np.inf, (action_width,), np.float32)
    if env_id is None:
        return None, unbounded
    try:
        env = gymnasium.make(env_id)
    except (gymnasium.error.Error, ImportError):
        return None, unbounded
    env.close()
    return env.spec, env.action_space if env.action_space.shape == unbounded.shape else unbounded


def _buffer(episode: Episode) -> dict[str, Any]:
    """An episode under the names of Minari's EpisodeBuffer; flags are true at the last step."""
    steps = len(episode.actions)
    last = np.arange(steps) == steps - 1
    unknown = np.full(steps, np.nan, dtype=np.float32)
    return {
        "seed": episode.seed,
        "observations": episode.observations,
        "actions": episode.actions,
        "rewards": unknown if episode.rewards is None else episode.rewards,
        "terminations": last & episode.terminated,
        "truncations": last & episode.truncated,
    }


def _import_minari(name: str) -> Any:
    try:
        import minari
    except ImportError as error:
        raise DemonstrationError(
            f"{name}: this needs Minari; run: pip install 'minari[arrow,hdf5]'"
        ) from error
    return minari


def import_h5py(name: str) -> Any:
    """The optional package h5py.

    Raises:
        DemonstrationError: if it is missing.
    """
    try:
        import h5py
    except ImportError as error:
        raise DemonstrationError(
            f"{name} is HDF5, which needs h5py; run: pip install h5py"
        ) from error
    return h5py
