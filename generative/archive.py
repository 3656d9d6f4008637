"""One file for JSON and tensors: a stored zip that tells damage and cannot run code when read.

The zip's CRC catches a flipped bit, safetensors hold nothing but numbers, and the file is written
whole or not at all.
"""

from __future__ import annotations

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from generative.files import FileError, check_zip_directory, replacing_file

METADATA = "metadata.json"

# What reading a damaged file can raise: zipfile's own errors among them.
_UNREADABLE = (
    zipfile.BadZipFile,
    SafetensorError,
    struct.error,
    KeyError,
    ValueError,
    EOFError,
    OSError,
    RuntimeError,
)


class ArchiveError(FileError):
    """A file that cannot be read or holds something else."""


def write(
    path: str | os.PathLike[str],
    metadata: dict[str, Any],
    sections: dict[str, dict[str, Tensor]],
) -> None:
    """Write metadata and named groups of tensors to one file, atomically.

    Args:
        path: the file; replaced if it exists. Missing parent folders are made.
        metadata: anything JSON can hold.
        sections: tensors by section and name.

    Raises:
        FileError: if the folder cannot be written to.
        TypeError: if the metadata is not JSON; an existing file is left as it was.

    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "model.zip"
    >>> write(path, {"name": "line"}, {"weights": {"slope": torch.tensor(2.0)}})
    >>> read(path)
    ({'name': 'line'}, {'weights': {'slope': tensor(2.)}})
    """
    with replacing_file(Path(path)) as handle, zipfile.ZipFile(handle, "w") as archive:
        archive.writestr(METADATA, json.dumps(metadata, indent=1))
        for section, tensors in sections.items():
            cpu = {
                name: tensor.detach()
                .cpu()
                .clone()
                .contiguous()  # safetensors refuses shared memory
                for name, tensor in tensors.items()
            }
            archive.writestr(f"{section}.safetensors", save_tensors(cpu))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """Read what :func:`write` wrote.

    Raises:
        ArchiveError: if there is no such file, or it is damaged or of another kind.
    """
    file = Path(path)
    if not file.is_file():
        raise ArchiveError(f"There is no file {file}; give the path of a saved model.")
    try:
        with zipfile.ZipFile(file) as archive:
            check_zip_directory(archive, file)
            metadata = json.loads(archive.read(METADATA))
            if not isinstance(metadata, dict):
                raise ValueError(f"{METADATA} is no object")
            sections = {
                Path(name).stem: load_tensors(archive.read(name))
                for name in archive.namelist()
                if name.endswith(".safetensors")
            }
    except _UNREADABLE as error:
        raise ArchiveError(
            f"{file} is damaged or was not saved by this project ({error}); "
            "use an earlier file, or train again."
        ) from error
    return metadata, sections


def as_json(value: Any) -> Any:
    """What JSON makes of a value: tuples become lists."""
    return json.loads(json.dumps(value))


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an Adam optimiser as flat tensors, step size included."""
    tensors = {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    return tensors | {"lr": torch.as_tensor(optimizer.param_groups[0]["lr"])}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Undo :func:`optimizer_state`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key != "lr":
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    rate, kept = tensors["lr"], groups[0]["lr"]
    # On its own device: from another one, every step would wait for it.
    groups[0]["lr"] = rate.to(kept.device) if isinstance(kept, Tensor) else rate
    optimizer.load_state_dict({"state": state, "param_groups": groups})
