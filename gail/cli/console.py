"""Where the command line writes: results to the standard output, everything else beside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gail.errors import DivergenceError, GailError


def results() -> Console:
    """The console for results."""
    return Console(highlight=False)


def notices() -> Console:
    """The console for progress and notices."""
    return Console(stderr=True, highlight=False)


def notify(text: str) -> None:
    """Write one line beside the results."""
    notices().print(text, soft_wrap=True, markup=False)


def complain(error: Exception | str) -> None:
    """Write an error as one sentence."""
    print(f"gail: {error}", file=sys.stderr)


def table(title: str, rows: dict[str, str]) -> Table:
    """Names and values in two columns."""
    made = Table(title=title, title_justify="left", show_header=False)
    for name, value in rows.items():
        made.add_row(name, value)
    return made


def require_free(path: Path, overwrite: bool) -> None:
    """Make sure, before long work, that a file can be written and that nothing is lost by it.

    Args:
        path: the file.
        overwrite: whether it may be there already.

    Raises:
        GailError: it exists and may not be replaced.
        FileError: it cannot be written.
    """
    from generative.files import require_writable

    require_writable(path)
    if path.exists() and not overwrite:
        raise GailError(
            f"{path} exists already; add --overwrite to replace it, or give another --out."
        )


@contextmanager
def wrong_input() -> Iterator[None]:
    """Take a ``ValueError`` of the libraries below for what it is here: wrong input.

    Only preparations belong inside; a ``ValueError`` while training is a bug and keeps its trace.
    """
    try:
        yield
    except (GailError, DivergenceError):
        raise
    except ValueError as error:
        raise GailError(" ".join(str(error).split())) from error


@contextmanager
def mujoco_warnings_once() -> Iterator[None]:
    """Tell each of MuJoCo's warnings once.

    By itself MuJoCo repeats them for every environment that is made, and leaves a log file in
    the current folder.

    Raises:
        GailError: if MuJoCo cannot be imported.
    """
    try:
        import mujoco
    except (AttributeError, ImportError, OSError, RuntimeError) as error:
        raise GailError(
            f"MuJoCo cannot be imported with MUJOCO_GL={os.environ.get('MUJOCO_GL', '')!r} "
            f"({error}); unset that variable, or set it to an OpenGL that works."
        ) from error
    told: set[str] = set()

    def tell(message: str) -> None:
        if message not in told:
            told.add(message)
            notify(f"MuJoCo: {message}")

    mujoco.set_mju_user_warning(tell)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(None)
