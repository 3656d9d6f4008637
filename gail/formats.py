"""Reading demonstrations from any known format, and writing this project's own.

The own format is a compressed .npz without pickled objects: ``observations`` (sum(T + 1), O)
and ``actions`` (sum T, A) float32, ``lengths`` (E,), ``terminated`` and ``truncated`` (E,) and,
where known, ``rewards`` (sum T,), ``seeds`` (E,), ``env_id`` and ``mujoco_version``. Any .npz or
HDF5 file with arrays of such names is read too; :mod:`gail.formats_plain` says how, and
:mod:`gail.formats_imitation` and :mod:`gail.formats_minari` tell of the folders.

What a file is, is told by its content, not by its name. Nothing is ever unpickled.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gail import formats_imitation, formats_minari, formats_plain
from gail.episodes import AnyPath, Recording, flat_arrays
from gail.errors import DemonstrationError
from generative.files import check_zip_directory, replacing_file

# What zipfile and NumPy raise for damaged files, beside ValueError.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
)


def read(path: AnyPath) -> Recording:
    """Read a file or folder of any known format, or a local Minari dataset given by its id.

    Raises:
        DemonstrationError: if it is missing, unknown, damaged, pickled or inconsistent.
    """
    source = Path(path).expanduser()
    if source.is_dir():
        return _read_folder(source)
    if not source.exists():
        dataset = formats_minari.local_folder(os.fspath(path))
        if dataset is not None:
            return formats_minari.read_folder(dataset)
        raise DemonstrationError(f"{path} does not exist; give a demonstration file or folder.")
    try:
        with source.open("rb") as handle:
            start = handle.read(8)
    except OSError as error:
        raise DemonstrationError(
            f"{path} cannot be read ({error.strerror}); give a file you may read."
        ) from error
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # the second has no members
        return formats_plain.recording_of(source.name, _read_npz(source))
    if source.name == formats_minari.MAIN_FILE:
        return formats_minari.read_folder(source.parent)
    if start == b"\x89HDF\r\n\x1a\n":
        return formats_plain.recording_of(source.name, _read_hdf5(source))
    raise DemonstrationError(f"{path} {_what_else(start)}")


def _read_folder(folder: Path) -> Recording:
    if formats_minari.is_dataset(folder):
        return formats_minari.read_folder(folder)
    if formats_imitation.is_dataset(folder):
        return formats_imitation.read_folder(folder)
    raise DemonstrationError(
        f"{folder} is a folder without demonstrations, expected a file, or a folder saved by "
        "imitation or Minari; name the file inside it."
    )


def _what_else(start: bytes) -> str:
    if not start:
        return "is empty; record or copy it again."
    if start.startswith(b"\x80"):
        return "is a pickle, which is never opened; save its arrays with numpy.savez_compressed."
    if start.startswith(b"\x93NUMPY"):
        return (
            "is a single array, expected observations and actions; save both with "
            "numpy.savez_compressed(file, observations=..., actions=..., lengths=...)."
        )
    return "is neither an .npz nor an HDF5 file, or its start is damaged; record or copy it again."


def _read_npz(path: Path) -> formats_plain.Fields:
    """The known arrays in an .npz; each one's checksum is verified before it is parsed."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip_directory(archive, path)
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            labels = formats_plain.known_fields(members)
            return {
                field: (label, _read_member(path.name, archive, members[label], label))
                for field, label in labels.items()
            }
    except (*_DAMAGE, ValueError) as error:
        if isinstance(error, DemonstrationError):
            raise
        raise DemonstrationError(
            f"{path.name} is damaged or cut short ({error}); copy or record it again."
        ) from error


def _read_member(name: str, archive: zipfile.ZipFile, member: str, label: str) -> NDArray[Any]:
    try:
        content = archive.read(member)  # to its end, hence with its CRC
    except _DAMAGE as error:
        raise DemonstrationError(
            f"{name}: field {label} is damaged ({error}); copy or record the file again."
        ) from error
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (*_DAMAGE, ValueError) as error:
        raise DemonstrationError(
            f"{name}: field {label} is not a plain array and may be pickled, which is never "
            "opened; save it as numbers with numpy.savez_compressed."
        ) from error
    return np.asarray(array)


def _read_hdf5(path: Path) -> formats_plain.Fields:
    h5py = formats_minari.import_h5py(path.name)
    try:
        with h5py.File(path, "r") as file:
            labels = formats_plain.known_fields(
                [key for key in file if isinstance(file[key], h5py.Dataset)]
            )
            return {
                field: (label, _plain_array(file[label][()])) for field, label in labels.items()
            }
    except (*_DAMAGE, ValueError) as error:
        raise DemonstrationError(
            f"{path.name} is damaged or cut short ({error}); copy or record it again."
        ) from error


def _plain_array(value: Any) -> NDArray[Any]:
    return np.asarray(value.decode() if isinstance(value, bytes) else value)


def write_npz(recording: Recording, path: AnyPath) -> None:
    """Write this project's own format, replacing ``path`` in one piece.

    Raises:
        GailError: if the folder cannot be written.
    """
    arrays = flat_arrays(recording.episodes)
    # Column after column a dimension's own history lies together, which packs 4 to 8% smaller.
    arrays["observations"] = np.asfortranarray(arrays["observations"])
    if recording.env_id is not None:
        arrays["env_id"] = np.array(recording.env_id)
    if recording.mujoco_version is not None:
        arrays["mujoco_version"] = np.array(recording.mujoco_version)
    with replacing_file(path) as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)
