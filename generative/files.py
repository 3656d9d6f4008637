"""Files and folders that a crash leaves old or new, never half written; zips that tell damage."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_END_RECORD = struct.Struct("<10xH10x")  # the number of a zip's members


class FileError(ValueError):
    """A file or folder that cannot be written, or must not be replaced."""


@contextmanager
def replacing_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of ``path`` once it is complete on disk.

    The temporary file lies beside ``path``, is flushed to the disk (fsync) and then renamed,
    which the file system does in one piece. If the body raises, ``path`` is left as it was.
    Missing parent folders are made.

    Args:
        path: the file to write or replace.

    Raises:
        FileError: if the folder cannot be written.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "result.txt"
    >>> with replacing_file(path) as handle:
    ...     _ = handle.write(b"done")
    >>> path.read_text()
    'done'
    """
    target = Path(path)
    require_writable(target)
    temporary = _beside(target)
    try:
        with _told_as_sentence(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as handle:
                yield handle
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(temporary, target)
            _sync_folder(target.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(
    path: str | os.PathLike[str], *, replace_if_holds: str | None = None
) -> Iterator[Path]:
    """Give a temporary folder that becomes ``path`` once everything in it is on disk.

    Args:
        path: the folder to make.
        replace_if_holds: a file that marks a folder as an older version of what is written;
            an existing folder with that file in it is replaced, any other is left alone.

    Raises:
        FileError: if ``path`` exists and may not be replaced, or its parent cannot be written.
    """
    target = Path(path)
    if target.exists() and replace_if_holds is None:
        raise FileError(f"{target} exists already; choose another path or allow overwriting it.")
    if target.exists() and not (target / str(replace_if_holds)).is_file():
        raise FileError(
            f"{target} exists and holds no {replace_if_holds}, so it is something else and is "
            "not overwritten; choose another path."
        )
    _require_place(target)
    scratch = _beside(target)
    try:
        with _told_as_sentence(target):
            (scratch / "new").mkdir(parents=True)
            yield scratch / "new"
            _sync_tree(scratch / "new")
            _swap(scratch / "new", target, scratch / "old")
            _sync_folder(target.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def require_writable(path: str | os.PathLike[str]) -> None:
    """Make sure, before long work, that the file for its result can be written.

    Args:
        path: the file; it and its folder need not exist yet.

    Raises:
        FileError: if it is a folder, or would lie where nothing can be written.
    """
    if os.path.isdir(path):
        raise FileError(f"{path} is a folder; give the name of a file.")
    _require_place(Path(path))


def _require_place(target: Path) -> None:
    """The first folder above that exists must be one, and take new entries."""
    above = next(folder for folder in target.absolute().parents if os.path.exists(folder))
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        why = "may not be written to" if above.is_dir() else "is no folder"
        raise FileError(
            f"{target} cannot be written ({above} {why}); choose a folder you may write to."
        )


def _swap(new: Path, target: Path, old: Path) -> None:
    """Rename ``new`` to ``target``, keeping what was there at ``old`` or, on failure, in place."""
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        if old.exists():
            os.rename(old, target)
        raise


def _beside(target: Path) -> Path:
    """A hidden temporary name in the same folder, hence on the same file system."""
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")


def check_zip_directory(archive: zipfile.ZipFile, path: str | os.PathLike[str]) -> None:
    """Find damage in a zip's directory, the one part without a checksum.

    It must list as many members as the end record counts, under the names that the members carry
    themselves; otherwise one flipped bit could hide a member.

    Args:
        archive: open for reading.
        path: where it lies.

    Raises:
        zipfile.BadZipFile: if the directory does not fit the members; also what opening a
            member raises: ``RuntimeError``, ``OSError`` or ``ValueError``.
    """
    with open(path, "rb") as handle:
        handle.seek(-_END_RECORD.size, os.SEEK_END)
        (count,) = _END_RECORD.unpack(handle.read())
    if not archive.comment and count != len(archive.infolist()):
        raise zipfile.BadZipFile("members are missing in its directory")
    for member in archive.infolist():
        archive.open(member).close()  # compares the names


@contextmanager
def _told_as_sentence(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileError(
            f"{target} cannot be written ({error.strerror or error}); "
            "choose a folder you may write to, with enough space."
        ) from error


def _sync_tree(folder: Path) -> None:
    for file in sorted(item for item in folder.rglob("*") if item.is_file()):
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename durable; file systems that cannot sync a folder are left alone."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
