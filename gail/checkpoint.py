"""One file format for policies and checkpoints: a stored zip of JSON and safetensors.

The zip's CRC catches a flipped bit, safetensors cannot run code when read, and the file is
written whole or not at all. A *policy* file holds what ``predict`` needs; a *checkpoint* is the
same file with optimisers, statistics, replay, generators and the simulation beside it.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import Tensor

from gail.errors import CheckpointError
from generative import archive
from generative.archive import as_json as as_json
from generative.archive import optimizer_state as optimizer_state
from generative.archive import restore_optimizer as restore_optimizer

FORMAT = 1
PACKAGES = ("generative-imitation", "torch", "gymnasium", "mujoco", "stable-baselines3", "numpy")


def write(path: Path, metadata: dict[str, Any], sections: dict[str, dict[str, Tensor]]) -> None:
    """Write metadata and named groups of tensors to one file, atomically.

    Args:
        path: the file; replaced if it exists.
        metadata: anything JSON can hold.
        sections: tensors by section and name.

    Raises:
        FileError: if the folder cannot be written to.
    """
    archive.write(path, {"format": FORMAT, "versions": versions(), **metadata}, sections)


def read(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """Read what :func:`write` wrote.

    Raises:
        CheckpointError: if there is no such file, or it is damaged or of another kind.
    """
    try:
        metadata, sections = archive.read(path)
    except archive.ArchiveError as error:
        raise CheckpointError(str(error)) from error
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has file format {metadata.get('format')!r} and this version reads {FORMAT}; "
            "install the version that wrote it."
        )
    return metadata, sections


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a checkout that was not installed
            found[package] = "unknown"
    return found


def subsection(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with ``prefix.``, by the rest of their names."""
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
