"""``gail bench``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import tyro

from gail.bench.suite import Method, Suite
from gail.bench.suites import SUITES, SuiteName, chosen
from gail.cli.console import mujoco_warnings_once, notify, results

if TYPE_CHECKING:
    from rich.table import Table

    from gail.bench.score import Score


@dataclass(frozen=True)
class Bench:
    """Race methods on the same tasks and demonstrations; begun again, it goes on where it stopped.

    Raw scores go to one file, every run to a folder of its own. A suite of your own is a few lines
    of Python; see gail.bench.
    """

    suite: tyro.conf.Positional[SuiteName]
    """What to run: toy (seconds), ant or humanoid (hours)."""
    methods: tuple[Method, ...] = ()
    """Only these methods of the suite; by default all."""
    seeds: tuple[int, ...] = ()
    """Seeds of every method, in place of the suite's."""
    trajectories: tuple[int, ...] = ()
    """Numbers of the expert's episodes, in place of the suite's."""
    demonstrations: str | None = None
    """The expert's episodes, in place of the shipped ones."""
    every: int | None = None
    """Keep only every k-th step of the demonstrations, in place of the suite's."""
    steps: int | None = None
    """Environment steps of every method that takes any, in place of the suite's."""
    episodes: int | None = None
    """Episodes that every policy is scored on, in place of the suite's."""
    out: Path | None = None
    """The file of raw scores; by default benchmarks/<suite>.json."""
    runs: Path | None = None
    """The folder of the runs' folders; by default runs/bench-<suite>."""
    device: str = "auto"
    """Where this project's learners compute: auto, cpu or cuda."""
    pictures: bool = True
    """Also draw a contact sheet of every policy."""
    list: bool = False
    """Only show the runs."""

    def run(self) -> None:
        """Make the runs that are not finished, print the table and write the report.

        Raises:
            GailError: wrong input, before anything is trained.
            Interrupted: Ctrl-C or SIGTERM.
        """
        suite = self._suite()
        if self.list:
            for each in suite.runs:
                results().print(each.name, markup=False, soft_wrap=True)
            return
        from gail.bench.runner import run_suite
        from gail.report import write_report

        out = self.out or Path("benchmarks") / f"{suite.name}.json"
        folder = self.runs or Path("runs") / f"bench-{suite.name}"
        with mujoco_warnings_once(), _going_on_later():
            scores = run_suite(
                suite, out, folder, device=self.device, pictures=self.pictures, tell=notify
            )
        results().print(score_table(scores))
        write_report(folder)
        notify(f"Wrote {out} and {folder / 'report.html'}.")

    def _suite(self) -> Suite:
        return chosen(
            SUITES[self.suite](),
            methods=self.methods,
            seeds=self.seeds,
            trajectories=self.trajectories,
            demonstrations=self.demonstrations,
            every=self.every,
            steps=self.steps,
            episodes=self.episodes,
        )


def score_table(scores: list[Score]) -> Table:
    """One row a condition, over its seeds."""
    from rich.table import Table

    from gail.bench.summary import conditions

    made = Table()
    for name in ("task", "method", "steps", "runs", "return", "normalised [95%]", "falls"):
        made.add_column(name)
    for row in conditions(scores):
        numbers = (row.steps, row.count, row.returned, row.normalised, row.falls)
        made.add_row(row.environment, row.label, *numbers)
    return made


@contextmanager
def _going_on_later() -> Iterator[None]:
    """Turn signals into one that tells how to go on."""
    from gail.runs import Interrupted

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        number = getattr(error, "number", signal.SIGINT)
        told = "what is finished is kept; the same command goes on from there"
        raise Interrupted(number, told) from error
    finally:
        signal.signal(signal.SIGTERM, previous)
