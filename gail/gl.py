"""Finding an OpenGL that draws without a window.

A failing attempt to load OpenGL poisons the process it happens in, so every candidate is tried
in a process of its own first.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from functools import cache
from typing import Any

from gail.errors import GailError

INSTALL = (
    "install a software one with 'apt-get install libegl1 libgl1-mesa-dri' or "
    "'apt-get install libosmesa6'"
)
PROBE = """
import importlib, mujoco, sys
context = importlib.import_module("mujoco." + sys.argv[1]).GLContext(64, 64)
context.make_current()
model = mujoco.MjModel.from_xml_string("<mujoco/>")
mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value).free()
context.free()
"""
PROBE_SECONDS = 60
OFF = ("disable", "disabled", "off", "false", "0")


class RenderingError(GailError):
    """Nothing can be drawn here; the message says what to install or to change."""


def candidates() -> tuple[str, ...]:
    """The OpenGL backends worth a try here, best first; what ``MUJOCO_GL`` names is the only one.

    >>> set(candidates()) <= {"egl", "osmesa", "glfw", "cgl"}
    True
    """
    asked = os.environ.get("MUJOCO_GL", "").lower().strip()
    if asked in OFF:
        return ()
    if asked in ("egl", "osmesa", "glfw", "cgl"):
        return (asked,)
    if sys.platform == "darwin":
        return ("cgl", "glfw")
    if sys.platform == "win32":
        return ("glfw",)
    has_display = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return ("egl", "osmesa", "glfw") if has_display else ("egl", "osmesa")


def backend() -> str:
    """The first candidate that works, for example ``"egl"``.

    ``MUJOCO_GL`` is set to it, so that environments which draw for themselves use it too.

    Raises:
        RenderingError: if none works.
    """
    failures = {}
    for name in candidates():
        failure = _failure(name)
        if failure is None:
            os.environ["MUJOCO_GL"] = name
            return name
        failures[name] = failure
    tried = "; ".join(f"{name}: {failure}" for name, failure in failures.items())
    raise RenderingError(
        f"No OpenGL works here ({tried or 'MUJOCO_GL turns it off'}), so nothing can be drawn; "
        f"{INSTALL}, or set MUJOCO_GL to one that works."
    )


def context(size: int) -> Any:
    """A current OpenGL context for pictures of ``size`` x ``size`` pixels.

    Raises:
        RenderingError: if no OpenGL works.
    """
    name = backend()
    try:
        made = importlib.import_module(f"mujoco.{name}").GLContext(size, size)
        made.make_current()
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        raise RenderingError(
            f"OpenGL ({name}) works in a new process but not in this one ({_line(str(error))}); "
            f"set MUJOCO_GL={name} before Python starts."
        ) from error
    return made


@cache
def _failure(name: str) -> str | None:
    """None if the backend works, else why not; each is tried once per process."""
    try:
        result = subprocess.run(
            [sys.executable, "-c", PROBE, name],
            env=os.environ | {"MUJOCO_GL": name},
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_SECONDS} s"
    if result.returncode == 0:
        return None
    return _line(result.stderr) or f"exit code {result.returncode}"


def _line(text: str) -> str:
    """The last line of an error, without its end stop."""
    lines = text.strip().splitlines()
    return lines[-1].rstrip(".") if lines else ""
