"""What ``scripts/gpu_check.py`` measures and stops with."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback

from gail import GAIL


class Clock(BaseCallback):
    """Counts seconds of training, keeps policies now and then, and stops in time."""

    def __init__(
        self, model: GAIL, folder: Path, every: float, limit: float, left: Callable[[], float]
    ) -> None:
        super().__init__()
        self.learner, self.folder, self.left = model, folder, left
        self.every, self.limit = every, limit
        self.trained, self.built, self.out_of_time = 0.0, 0.0, False
        self.curve: list[dict[str, float]] = []
        self.calls: list[dict[str, float]] = []

    def start(self) -> None:
        """Begin to count, before cloning; what was built and compiled is not counted."""
        self._last = time.perf_counter()

    def _on_rollout_start(self) -> None:
        """An iteration has ended: losses were read, so the device is nearly done."""
        wait(str(self.learner.device))
        now = time.perf_counter()
        before, self.trained = self.trained, self.trained + now - self._last
        if self.trained // self.every > before // self.every:
            self.snapshot()
        self.out_of_time = self.left() <= 0
        self._last = time.perf_counter()  # saving is not training

    def _on_step(self) -> bool:
        return not self.out_of_time and self.trained < self.limit

    def snapshot(self) -> None:
        """Keep the policy and the return that it acts with."""
        self.learner.save(self.folder / f"policy-{round(self.trained):04d}s.zip")
        recent = [each["r"] for each in self.learner.ep_info_buffer or ()]
        row = {"seconds": self.trained, "steps": float(self.learner.num_timesteps)}
        row["acting_return"] = statistics.mean(recent) if recent else 0.0
        self.curve.append(row)
        print(row, flush=True)

    def figures(self) -> dict[str, Any]:
        """What training was."""
        calls = [*self.calls, {"built": self.built}]
        return {"seconds": self.trained, "curve": self.curve, "calls": calls}

    def remember(self) -> None:
        """Keep the clock beside the checkpoint."""
        (self.folder / "clock.json").write_text(json.dumps(self.figures()))

    def recall(self) -> None:
        """Go on from where it was kept."""
        kept = json.loads((self.folder / "clock.json").read_text())
        self.trained, self.curve, self.calls = kept["seconds"], kept["curve"], kept["calls"]


@contextmanager
def timed(methods: dict[str, tuple[Any, str]], device: str) -> Iterator[dict[str, list[float]]]:
    """Seconds of every call of some objects' methods meanwhile, by name."""
    spent: dict[str, list[float]] = {name: [] for name in methods}

    def timing(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            wait(device)
            started = time.perf_counter()
            found = method(*arguments)
            wait(device)
            spent[name].append(time.perf_counter() - started)
            return found

        return call

    for name, (owner, method) in methods.items():
        vars(owner)[method] = timing(name, getattr(owner, method))
    try:
        yield spent
    finally:
        for owner, method in methods.values():
            del vars(owner)[method]


def wait(device: str) -> None:
    """Until the device is done."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def memory(device: str) -> int:
    """Bytes in use on the GPU, by everyone; 0 on a processor."""
    if not device.startswith("cuda"):
        return 0
    free, total = torch.cuda.mem_get_info()
    return total - free


def device_name(device: str) -> str:
    """What the figures are of."""
    return torch.cuda.get_device_name() if device.startswith("cuda") else "processor"
