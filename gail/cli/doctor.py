"""``gail doctor``."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gail.cli.console import mujoco_warnings_once, results, table

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Doctor:
    """Show versions, devices, engines, OpenGL and shipped data, with a remedy for what misses."""

    env: str = "Ant-v5"
    """The task that the engine is chosen for."""

    def run(self) -> None:
        """Print a table; a missing piece is a line, never a failure."""
        with mujoco_warnings_once():
            rows = {
                "Python": platform.python_version(),
                "packages": _told(_packages),
                "processor": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
                "GPU": _told(_gpu),
                "engine": _told(lambda: _engine(self.env)),
                "OpenGL": _told(_opengl),
                "MP4": _told(_ffmpeg),
                "shipped data": _told(_shipped),
            }
        results().print(table("gail doctor", rows))


def _told(check: Callable[[], str]) -> str:
    """What a check found, or why it failed."""
    try:
        return check()
    except Exception as error:  # whatever is wrong here is what the table is for
        return f"not usable: {error}"


def _packages() -> str:
    from gail.checkpoint import versions

    return "\n".join(f"{name} {version}" for name, version in versions().items())


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none that torch can use; everything runs on the processor"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{', '.join(names)} (CUDA {torch.version.cuda})"


def _engine(env_id: str) -> str:
    import envs
    from envs.checks import usable_device

    device = usable_device("auto")
    gpu = _gpu_engine(env_id, device)
    chosen = envs.choose_backend(env_id, device=device if gpu is None else "cpu")
    reasons = {
        "warp": f"it knows the task and simulates thousands of environments on {device}",
        "native": "it knows the task and is the fastest on processors",
        "toy": "it is the task's own",
        "gymnasium": f"no faster engine knows the task; native knows {', '.join(envs.TASKS)}",
    }
    if chosen != "warp":
        envs.make(env_id, num_envs=1, backend=chosen, device="cpu").close()
    told = f"{chosen} for {env_id}: {reasons[chosen]}; tensors on {device}"
    return told if gpu is None else f"{told}\nnot warp: {gpu}"


def _gpu_engine(env_id: str, device: torch.device) -> str | None:
    """Why the GPU engine is not used, None if it is."""
    from envs.checks import EngineUnavailable
    from envs.warp_checks import KNOWN, require_warp

    if env_id not in KNOWN:
        return f"it knows {' and '.join(KNOWN)} only"
    if device.type != "cuda":
        return "torch sees no GPU here"
    try:
        require_warp(device)
    except EngineUnavailable as error:
        return str(error)
    return None


def _opengl() -> str:
    from gail import gl

    return f"{gl.backend()} works"


def _ffmpeg() -> str:
    import imageio_ffmpeg  # type: ignore[import-untyped]

    return f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}"


def _shipped() -> str:
    from gail import formats, shipped

    files = sorted({f.name: f for folder in shipped.FOLDERS for f in folder.glob("*")}.items())
    data = [(name, len(formats.read(f).episodes)) for name, f in files if f.suffix == ".npz"]
    policies = [f.stem for _, f in files if f.suffix == ".zip"]
    return (
        f"demonstrations: {', '.join(f'{name} ({n} episodes)' for name, n in data) or 'none'}\n"
        f"policies: {', '.join(policies) or 'none'}"
    )
