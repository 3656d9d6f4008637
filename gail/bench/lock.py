"""One writer at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gail.errors import GailError


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Keep every other process that asks for the same file out, until the block ends.

    The lock is a file beside it; a killed process loses it, whatever happened.

    Args:
        path: what is written; it need not exist.

    Raises:
        GailError: another process has it.
    """
    lock = path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT)
    try:
        if not _taken(handle, lock):
            raise GailError(
                f"Another gail bench is writing {path}; wait until it ends, or give this one "
                "another --out and --runs."
            )
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _taken(handle: int, lock: Path) -> bool:
    """Lock the open file; no if another has it, or has just let it go and removed it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(handle).st_ino == lock.stat().st_ino
    except OSError:
        return False
