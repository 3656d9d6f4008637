"""``gail doctor``."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

from gail.cli.console import mujoco_warnings_once, results, table


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

    chosen = envs.choose_backend(env_id)
    reasons = {
        "native": "it knows the task and is the fastest on processors",
        "toy": "it is the task's own",
        "gymnasium": f"no faster engine knows the task; native knows {', '.join(envs.TASKS)}",
    }
    env = envs.make(env_id, num_envs=1, device="cpu")
    env.close()
    return f"{chosen} for {env_id}: {reasons.get(chosen, 'first that knows the task')}"


def _opengl() -> str:
    from gail import gl

    return f"{gl.backend()} works"


def _ffmpeg() -> str:
    import imageio_ffmpeg  # type: ignore[import-untyped]

    return f"ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}"


def _shipped() -> str:
    from gail.demonstrations import Demonstrations

    return str(Demonstrations.shipped())
