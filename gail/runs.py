"""A run on disk: its configuration, curves, checkpoints and score.

``runs/<env>-<time>/`` holds ``config.json``, ``progress.csv``, TensorBoard events,
``checkpoints/step-....zip`` (the last three), ``evaluation.json`` and the video. Everything is
JSON, CSV or safetensors; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger

from gail import checkpoint, curves
from gail.errors import GailError
from generative.files import replacing_file

KEPT_CHECKPOINTS = 3
PAUSE = 20  # times as long as a checkpoint took to write, at least, until the next one


class RunFolder:
    """One run's folder and the names in it.

    Args:
        path: an existing folder; see :meth:`create` for a new one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, env_id: str, out: Path | None = None) -> Self:
        """Make the folder of a new run.

        Args:
            env_id: Gymnasium id, part of the folder's name.
            out: the folder; by default ``runs/<env>-<time>``.

        Raises:
            GailError: if the folder holds something already or cannot be written to.
        """
        path = _unused_name(env_id) if out is None else out
        try:
            if path.exists() and (not path.is_dir() or any(path.iterdir())):
                found = "is not empty" if path.is_dir() else "is no folder"
                raise GailError(
                    f"The output folder {path} exists and {found}; give another --out, or "
                    "--resume it if it is a run."
                )
            (path / "checkpoints").mkdir(parents=True)
        except OSError as error:
            raise GailError(
                f"The output folder {path} cannot be written to ({error.strerror or error}); "
                "give one that can with --out."
            ) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The folder of a run that was started before.

        Raises:
            GailError: if there is no run.
        """
        if not (path / "config.json").is_file():
            raise GailError(f"There is no run in {path} (no config.json); give a run's folder.")
        return cls(path)

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write one of the run's JSON files, in one piece."""
        with replacing_file(self.path / name) as handle:
            handle.write((json.dumps(content, indent=2) + "\n").encode())

    def config(self) -> dict[str, Any]:
        """The content of ``config.json``.

        Raises:
            GailError: if it is damaged.
        """
        path = self.path / "config.json"
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise GailError(f"{path} cannot be read ({error}); start a new run.") from error
        if not isinstance(content, dict):
            raise GailError(f"{path} holds no JSON object; start a new run.")
        return content

    def checkpoint_path(self, step: int) -> Path:
        """Where the checkpoint of an environment step belongs."""
        return self.path / "checkpoints" / f"step-{step:012d}.zip"

    def checkpoints(self) -> list[Path]:
        """All checkpoints, the newest first."""
        return sorted((self.path / "checkpoints").glob("step-*.zip"), reverse=True)

    def latest_checkpoint(self) -> Path:
        """The newest checkpoint that is undamaged.

        Raises:
            GailError: if there is none.
        """
        for path in self.checkpoints():
            if _is_sound(path):
                return path
        raise GailError(f"No readable checkpoint in {self.path / 'checkpoints'}; start a new run.")

    def remove_old_checkpoints(self) -> None:
        """Keep the last three, and nothing that a killed process left half written."""
        unfinished = (self.path / "checkpoints").glob(".step-*.tmp")
        for path in (*self.checkpoints()[KEPT_CHECKPOINTS:], *unfinished):
            path.unlink(missing_ok=True)

    def logger(self, step: int | None = None) -> Logger:
        """SB3 logger into ``progress.csv`` and TensorBoard.

        Args:
            step: continue an earlier log from this environment step; what was logged beyond it
                is dropped, because training will come by there again.
        """
        formats = [
            curves.ProgressCSV(self.path / "progress.csv", step),
            curves.TensorBoard(self.path, step),
        ]
        return Logger(str(self.path), formats)


class Interrupted(KeyboardInterrupt):
    """A signal stopped the work.

    Args:
        number: of the signal.
        told: what happened to the work.
    """

    def __init__(self, number: int, told: str = "what was written before is kept") -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}, {told}")
        self.number = number


class Keeper(BaseCallback):
    """Saves checkpoints, and ends training cleanly on Ctrl-C or SIGTERM.

    Checkpoints are taken between iterations: at the first one, then every so many seconds, or
    less often where writing one takes long, at the end and before stopping. Within the ``with``
    block a first signal during training lets the iteration finish, saves and stops; a second one,
    or one outside training, raises
    :class:`Interrupted` at once.

    Args:
        run: where to save.
        seconds: between two checkpoints; 0 takes one after every iteration.
        clock: seconds since any start.

    Attributes:
        signal: the signal that was received, or None.
        saved_step: environment step of the last checkpoint.
    """

    def __init__(
        self, run: RunFolder, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.run = run
        self.seconds, self.clock = seconds, clock
        self.signal: int | None = None
        self.saved_step = 0
        self._saved_at: float | None = None
        self._took = 0.0
        self._training = self._inside_rollout = self._stopping = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None or not self._training:
            kept = "what was written before is kept"
            raise Interrupted(number, f"{kept}; continue with: gail train --resume {self.run.path}")
        self.signal = number

    def _on_rollout_start(self) -> None:
        self._training = True
        self._stopping = self.signal is not None
        if self._is_due() or self._stopping:
            self.save()
        self._inside_rollout = True

    def _on_step(self) -> bool:
        return not self._stopping

    def _on_rollout_end(self) -> None:
        self._inside_rollout = False

    def _on_training_end(self) -> None:
        self._training = False
        if not self._inside_rollout:
            self.save()

    def _is_due(self) -> bool:
        if self._saved_at is None or self.seconds == 0:
            return True
        return self.clock() - self._saved_at >= max(self.seconds, PAUSE * self._took)

    def save(self) -> None:
        """Write a checkpoint of this moment and remove old ones."""
        began = self.clock()
        learner: Any = self.model  # a TorchPPO, which SB3's base class does not promise
        learner.save_checkpoint(self.run.checkpoint_path(learner.num_timesteps))
        self.run.remove_old_checkpoints()
        self.saved_step, self._saved_at = learner.num_timesteps, self.clock()
        self._took = self._saved_at - began


def provenance(device: torch.device) -> dict[str, Any]:
    """What a run has to tell about where it ran: versions, commit, machine, command line."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command_line": sys.argv,
        "versions": {"python": platform.python_version(), **checkpoint.versions()},
        "commit": _git_commit(),
        "device": str(device),
        "hardware": {
            "system": platform.platform(),
            "cpu_cores": os.cpu_count(),
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        },
    }


def _git_commit() -> str | None:
    """The commit of this checkout, with ``+`` where files were changed; None if installed."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+" if _git(folder, "status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=True
    )
    return done.stdout.strip()


def _unused_name(env_id: str) -> Path:
    stem = f"{env_id.lower().replace('/', '-')}-{datetime.now():%Y%m%d-%H%M%S}"
    path, number = Path("runs") / stem, 2
    while path.exists():
        path, number = Path("runs") / f"{stem}-{number}", number + 1
    return path


def _is_sound(path: Path) -> bool:
    """Whether every part of a zip agrees with its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False
