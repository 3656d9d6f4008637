"""Demonstrations in the formats of ``imitation``: dataset folders and trajectory objects.

Trajectory objects have ``obs`` (T + 1, O), ``acts`` (T, A), ``terminal`` and perhaps ``rews``
and ``infos``. A folder is what ``imitation.data.serialize.save`` writes with Hugging Face's
``datasets``: the same fields, a row an episode, with infos as JSON texts. ``imitation`` itself is
never imported, and infos are read as plain JSON, never as objects. Its old .npz files are read
without their infos, by :mod:`gail.formats_plain`.

``terminal`` says only that an episode ended. Why it ended is taken from ``TimeLimit.truncated``
in the last info, which Stable-Baselines3 puts there; where that is missing everywhere,
:func:`gail.episodes.guess_terminated` decides.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gail.episodes import AnyPath, Episode, Recording, guess_terminated
from gail.errors import DemonstrationError
from generative.files import replacing_folder

_log = logging.getLogger("gail")
_MARK = "dataset_info.json"
_TRUNCATED = "TimeLimit.truncated"


def is_dataset(folder: Path) -> bool:
    """Whether ``folder`` was saved by ``datasets``."""
    return any((folder / mark).is_file() for mark in (_MARK, "state.json", "dataset_dict.json"))


def read_folder(folder: Path) -> Recording:
    """Read a folder saved by ``imitation.data.serialize.save``.

    Raises:
        DemonstrationError: if ``datasets`` is missing, or the folder is damaged or something else.
    """
    datasets = _import_datasets(folder.name)
    try:
        dataset = datasets.load_from_disk(str(folder))
        if isinstance(dataset, datasets.DatasetDict):
            dataset = datasets.concatenate_datasets(list(dataset.values()))
        missing = {"obs", "acts", "terminal"} - set(dataset.column_names)
        if missing:
            raise DemonstrationError(
                f"{folder.name} has no column {', '.join(sorted(missing))}; "
                "give a folder saved by imitation.data.serialize.save."
            )
        rows = [_Row(row) for row in dataset.with_format("numpy")]
        about = _parsed(dataset.info.description)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if isinstance(error, DemonstrationError):
            raise
        raise DemonstrationError(
            f"{folder.name} is damaged ({error}); save it again with imitation."
        ) from error
    return Recording(
        episodes_of(rows, folder.name), about.get("env_id"), about.get("mujoco_version")
    )


class _Row:
    """One row of a dataset, with the attributes of a trajectory object."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.obs, self.acts = row["obs"], row["acts"]
        self.rews = row.get("rews")
        self.terminal = bool(row["terminal"])
        self.infos = [_parsed(text) for text in row.get("infos", [])[-1:]]


def episodes_of(trajectories: Sequence[Any], name: str) -> list[Episode]:
    """Episodes from objects with ``obs``, ``acts``, ``terminal`` and perhaps ``rews``, ``infos``.

    Args:
        trajectories: ``imitation.data.types.Trajectory`` or anything with these attributes.
        name: for messages.

    Raises:
        DemonstrationError: if an object lacks an attribute or holds dictionary observations.
    """
    lengths = np.array([len(_array(t, "acts", name)) for t in trajectories], dtype=np.int64)
    ended = np.array([bool(getattr(t, "terminal", True)) for t in trajectories], dtype=np.bool_)
    told = [_told_truncated(t) for t in trajectories]
    terminated = guess_terminated(lengths) & ended
    if any(flag is not None for flag in told):
        terminated = ended & np.array([not flag for flag in told], dtype=np.bool_)
    elif ended.any():
        _log.warning("%s does not tell how episodes ended; the shorter ones count as falls.", name)
    return [
        Episode(
            _column(_array(trajectory, "obs", name)),
            _column(_array(trajectory, "acts", name)),
            None if getattr(trajectory, "rews", None) is None else np.asarray(trajectory.rews),
            bool(end),
            not end,
        )
        for trajectory, end in zip(trajectories, terminated, strict=True)
    ]


def _array(trajectory: Any, field: str, name: str) -> np.ndarray[Any, Any]:
    values = getattr(trajectory, field, None)
    if values is None or hasattr(values, "unwrap"):  # imitation's DictObs
        found = "no" if values is None else "a dictionary for"
        raise DemonstrationError(
            f"{name}: a {type(trajectory).__name__} has {found} {field}, expected one array; "
            "give imitation's Trajectory objects with flat observations."
        )
    return np.asarray(values)


def _column(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers of a one-dimensional space, (T,), as rows (T, 1)."""
    return values[:, None] if values.ndim == 1 else values


def _told_truncated(trajectory: Any) -> bool | None:
    infos = getattr(trajectory, "infos", None)
    # imitation decodes the infos of a file on access, and that may build arbitrary objects.
    if not isinstance(infos, (list, tuple, np.ndarray)) or len(infos) == 0:
        return None
    last = infos[-1]
    flag = last.get(_TRUNCATED) if isinstance(last, Mapping) else None
    return bool(flag) if isinstance(flag, (bool, np.bool_)) else None


def _parsed(text: object) -> dict[str, Any]:
    """The JSON object in ``text``, or nothing if it is something else."""
    try:
        value = json.loads(str(text))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_folder(recording: Recording, path: AnyPath, *, overwrite: bool = False) -> None:
    """Write a folder that ``imitation.data.serialize.load`` reads, in one piece.

    Raises:
        GailError: if ``path`` exists without ``overwrite``, or cannot be written.
        DemonstrationError: if ``datasets`` is missing.
    """
    datasets = _import_datasets(Path(path).name)
    episodes = recording.episodes
    columns: dict[str, list[Any]] = {
        "obs": [episode.observations for episode in episodes],
        "acts": [episode.actions for episode in episodes],
        "infos": [
            ["{}"] * (len(episode.actions) - 1) + [json.dumps({_TRUNCATED: episode.truncated})]
            for episode in episodes
        ],
        "terminal": [True] * len(episodes),
    }
    if episodes[0].rewards is not None:
        columns["rews"] = [episode.rewards for episode in episodes]
    about = {"env_id": recording.env_id, "mujoco_version": recording.mujoco_version}
    info = datasets.DatasetInfo(description=json.dumps(about))
    with replacing_folder(path, replace_if_holds=_MARK if overwrite else None) as folder:
        _save_quietly(datasets, datasets.Dataset.from_dict(columns, info=info), folder)


def _save_quietly(datasets: Any, dataset: Any, folder: Path) -> None:
    """Save without the progress bar, whose only switch is global."""
    were_off = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        dataset.save_to_disk(str(folder))
    finally:
        if not were_off:
            datasets.enable_progress_bars()


def _import_datasets(name: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise DemonstrationError(
            f"{name}: imitation's folders need the package datasets; run: pip install datasets"
        ) from error
    return datasets
