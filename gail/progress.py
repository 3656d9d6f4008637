"""What a training run shows while it goes on: a panel in a terminal, lines anywhere else."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter

PANEL_SECONDS = 0.25
LINE_SECONDS = 30.0
PHASES = ("physics", "policy", "discriminator", "ppo")


class RichProgress(BaseCallback):
    """SB3 callback that shows steps, speed, return, discriminator, KL and time by phase.

    In a terminal it is one panel that stays where it is, drawn by the training loop itself, so
    nothing writes over a traceback. Elsewhere (a file, CI) it is a line now and then.

    Args:
        console: where to; by default the standard error stream.
        clock: seconds since any start.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.console = console or Console(stderr=True)
        self.clock = clock
        self.latest = Latest()
        self.total = 0
        self._live: Live | None = None
        self._formats: list[KVWriter] = []
        self._started = self._shown = 0.0
        self._first_step = 0

    def _on_training_start(self) -> None:
        self.total = int(self.locals["total_timesteps"])
        self._started = self._shown = self.clock()
        self._first_step = self.model.num_timesteps
        self._formats = self.logger.output_formats
        self._formats.append(self.latest)
        if self.console.is_terminal:
            self._live = Live(self._panel(), console=self.console, auto_refresh=False)
            self._live.start()
            atexit.register(self.close)  # a crashed run still gets its cursor back

    def _on_step(self) -> bool:
        now = self.clock()
        if now - self._shown >= (LINE_SECONDS if self._live is None else PANEL_SECONDS):
            self._shown = now
            self._show()
        return True

    def _on_training_end(self) -> None:
        self._show()
        self.close()

    def close(self) -> None:
        """Leave the last panel standing and give the terminal back."""
        if self.latest in self._formats:
            self._formats.remove(self.latest)
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self.close)

    def _show(self) -> None:
        if self._live is not None:
            self._live.update(self._panel(), refresh=True)
        else:
            rows = self._rows()
            text = "  ".join(f"{name} {value}" for name, value in rows.items())
            self.console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _rows(self) -> dict[str, str]:
        seconds = self.clock() - self._started
        done = self.num_timesteps - self._first_step
        speed = done / seconds if seconds > 0 else 0.0
        return progress_rows(self.num_timesteps, self.total, speed) | metric_rows(
            self.latest.values
        )

    def _panel(self) -> Panel:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(min_width=44)
        share = ProgressBar(total=max(self.total, 1), completed=self.num_timesteps, width=44)
        table.add_row("progress", share)
        for name, value in self._rows().items():
            table.add_row(name, value)
        return Panel(table, title="gail", title_align="left", expand=False)


class Latest(KVWriter):
    """SB3 log format that remembers the last value of everything."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def write(
        self,
        key_values: dict[str, Any],
        key_excluded: dict[str, tuple[str, ...]],
        step: int = 0,
    ) -> None:
        """Take one iteration's values."""
        self.values.update(key_values)

    def close(self) -> None:
        """Nothing to close."""


def progress_rows(step: int, total: int, speed: float) -> dict[str, str]:
    """How far training is.

    Args:
        step: environment steps so far.
        total: environment steps of the whole run.
        speed: environment steps a second.

    >>> progress_rows(1_000_000, 3_000_000, 2500.0)
    {'steps': '1,000,000 of 3,000,000', 'speed': '2,500 steps/s', 'remaining': '0:13:20'}
    """
    rows = {"steps": f"{step:,} of {total:,}", "speed": f"{speed:,.0f} steps/s"}
    if speed > 0:
        left = int(max(total - step, 0) / speed)
        rows["remaining"] = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
    return rows


def metric_rows(values: Mapping[str, Any]) -> dict[str, str]:
    """How training goes, for the values that the log has.

    >>> metric_rows({"rollout/ep_rew_mean": 4000.0, "train/approx_kl": 0.0102})
    {'return': '4000.0', 'KL': '0.0102'}
    """
    rows = {}
    if "rollout/ep_rew_mean" in values:
        rows["return"] = f"{values['rollout/ep_rew_mean']:.1f}"
    if "rollout/ep_len_mean" in values:
        rows["length"] = f"{values['rollout/ep_len_mean']:.0f}"
    if "discriminator/accuracy_expert" in values:
        expert, policy = (values[f"discriminator/accuracy_{side}"] for side in ("expert", "policy"))
        rows["discriminator"] = f"{expert:.0%} of expert, {policy:.0%} of policy right"
    if "train/approx_kl" in values:
        rows["KL"] = f"{values['train/approx_kl']:.4f}"
    if "train/learning_rate" in values:
        rows["learning rate"] = f"{values['train/learning_rate']:.1e}"
    seconds = {p: values[f"time/seconds_{p}"] for p in PHASES if f"time/seconds_{p}" in values}
    if sum(seconds.values()) > 0:
        whole = sum(seconds.values())
        rows["time"] = ", ".join(f"{p} {s / whole:.0%}" for p, s in seconds.items())
    return rows
