"""Laws of live progress, in a terminal and in a file."""

from __future__ import annotations

import io
from typing import Any

from learners import Learner
from rich.console import Console
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter

from gail.progress import LINE_SECONDS, RichProgress


class Clock:
    """A clock that goes on by ``tick`` seconds whenever it is read."""

    def __init__(self, tick: float) -> None:
        self.now, self.tick = 0.0, tick

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def shown(terminal: bool, tick: float) -> tuple[str, Learner, RichProgress]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100)
    learner, progress = Learner(), RichProgress(console, Clock(tick))
    learner.learn(progress, iterations=4)
    return stream.getvalue(), learner, progress


def test_a_file_gets_a_line_now_and_then() -> None:
    text, learner, _ = shown(terminal=False, tick=LINE_SECONDS / 4)
    lines = text.splitlines()
    assert 2 <= len(lines) <= 15
    assert all(line.startswith("steps ") for line in lines)
    assert "40 of 40" in lines[-1]
    assert "\x1b" not in text
    assert learner.logger.output_formats == []


def test_a_terminal_gets_one_panel_and_its_cursor_back() -> None:
    text, learner, progress = shown(terminal=True, tick=1.0)
    assert "40 of 40" in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0  # hidden, then shown again
    assert learner.logger.output_formats == []
    progress.close()  # again does no harm


def test_progress_can_be_closed_before_it_started() -> None:
    RichProgress().close()


def test_the_log_is_what_progress_shows() -> None:
    stream = io.StringIO()
    progress = RichProgress(Console(file=stream, width=200), Clock(LINE_SECONDS))

    class Logs(Learner):
        def learn(self, callback: BaseCallback, iterations: int, steps: int = 10) -> None:
            super().learn(callback, iterations, steps)

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "num_timesteps" and value == 5:
                sink: KVWriter = self.logger.output_formats[0]
                values = {
                    "rollout/ep_rew_mean": 123.4,
                    "discriminator/accuracy_expert": 0.75,
                    "discriminator/accuracy_policy": 0.5,
                    "train/approx_kl": 0.0125,
                    "train/learning_rate": 3e-4,
                    "time/seconds_physics": 3.0,
                    "time/seconds_ppo": 1.0,
                }
                sink.write(values, {})

    Logs().learn(progress, iterations=2)
    last = stream.getvalue().splitlines()[-1]
    for part in ("123.4", "75% of expert, 50% of policy", "0.0125", "3.0e-04", "physics 75%"):
        assert part in last
