"""Running a suite: what is finished is skipped, what was interrupted goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from gail.bench import methods
from gail.bench.checks import (
    MissingPackageError,
    check_known,
    experts_of,
    finished,
    require_package,
)
from gail.bench.folders import score_of
from gail.bench.lock import only_writer
from gail.bench.methods import Job, Trained, Trainer
from gail.bench.record import SCHEMA, command, write
from gail.bench.score import Score
from gail.bench.suite import Method, Run, Suite
from gail.bench.suites import SUITES
from gail.cli.policies import mean_return
from gail.cli.training import description
from gail.errors import DivergenceError
from gail.evaluation import evaluate
from gail.film import Film
from gail.playing import Policy
from gail.rendering import RenderingError, record
from gail.report import write_report
from gail.runs import RunFolder
from generative.files import require_writable

Tell = Callable[[str], None]
FILM = Film(size=320, every=5)  # of a contact sheet


def run_suite(
    suite: Suite,
    out: Path,
    folder: Path,
    *,
    device: str = "auto",
    pictures: bool = True,
    tell: Tell = lambda _: None,
) -> list[Score]:
    """Make every run of a suite that is not finished, and score it.

    Raw scores are written after each run, so an interrupted suite goes on where it stopped. A run
    that diverges is recorded as such; a method whose package is missing is left out and told.

    Args:
        suite: what to run.
        out: the file of raw scores; scores that it has already are kept.
        folder: where the runs' folders lie.
        device: where this project's learners compute.
        pictures: also draw a contact sheet of every policy.
        tell: takes a line of progress.

    Returns:
        The scores of the suite's runs, in order, without those left out.

    Raises:
        GailError: wrong input, before anything is trained; or another process writes ``out``.

    >>> from gail.bench.suite import grid
    >>> here = Path("random-scores")
    >>> suite = Suite("mine", grid(["random"], ["toy/PointMass-v0"]), episodes=5)
    >>> [len(score.returns) for score in run_suite(suite, here / "mine.json", here / "runs")]
    [5]
    """
    require_writable(out)
    with ExitStack() as stack:
        stack.enter_context(only_writer(out))
        stack.enter_context(only_writer(folder))
        known = finished(suite, out)
        experts = experts_of(suite)
        check_known(suite, known, experts, out)
        RunFolder(folder).write_json("suite.json", {"suite": suite.name, "out": str(out.resolve())})
        torch.set_num_threads(1)  # on nets this small more threads only wait for one another
        for number, run in enumerate(suite.runs, 1):
            where = f"[{number}/{len(suite.runs)}] {run.name}"
            if run.name in known:
                tell(f"{where}: finished before")
                continue
            tell(where)
            try:
                require_package(run.method)
            except MissingPackageError as error:
                tell(f"Left out: {error}")
                continue
            job = Job(run, folder / run.name, experts[run.name], device)
            score = one(job, suite.episodes, pictures, tell)
            known[run.name] = replace(score, command=command_of(run, suite.name))
            write(out, as_file(suite.name, list(known.values())))
    return [known[run.name] for run in suite.runs if run.name in known]


def one(job: Job, episodes: int, pictures: bool, tell: Tell) -> Score:
    """Train and score one policy; if it diverges, the score says so and has no episodes."""
    run, reference = job.run, job.expert and description(job.expert)
    named: dict[str, Any] = {"run": run.name, "method": run.method, "reference": reference}
    try:
        policy, seconds = TRAINERS[run.method](job)
        scored = evaluate(policy, run.environment, episodes, expert_return=mean_return(job.expert))
    except DivergenceError as error:
        cause = error.__cause__  # where there is one, it names no folder
        told = str(cause if isinstance(cause, DivergenceError) else error)
        tell(f"{run.name} diverged: {told}")
        return replace(score_of(job.folder), **named, diverged=told)
    RunFolder(job.folder).write_json("evaluation.json", scored.to_json())
    if pictures:
        draw(policy, job, tell)
    write_report(job.folder)
    return replace(score_of(job.folder), **named, seconds=seconds)


def draw(policy: Policy, job: Job, tell: Tell) -> None:
    """Draw a contact sheet of a policy into its run's folder, where anything can be drawn."""
    film = replace(FILM, name=job.run.method)
    try:
        record(policy, job.run.environment, job.folder / "rollout.png", film=film)
    except RenderingError as error:
        tell(f"No picture of {job.run.name}: {error}")


def command_of(run: Run, suite: str) -> str:
    """What makes one run again."""
    if run.method in OURS:
        return command(["gail", *methods.train_words(run)])
    if suite not in SUITES:
        return f"run_suite of gail.bench.runner on the suite '{suite}', run {run.name}"
    flags: dict[str, Any] = {
        "methods": run.method,
        "demonstrations": run.demonstrations and Path(run.demonstrations).name,
        "trajectories": run.trajectories,
        "every": run.every if run.every > 1 else None,
        "steps": run.steps or None,
        "seeds": run.seed,
    }
    given = [f"--{name} {value}" for name, value in flags.items() if value is not None]
    return " ".join(["gail bench", suite, *given])


def as_file(suite: str, scores: list[Score]) -> dict[str, Any]:
    """The content of a suite's file of raw scores."""
    records = [score.to_json() for score in scores]
    return {"schema": SCHEMA, "kind": "suite", "suite": suite, "records": records}


def _peer(name: str) -> Trainer:
    """A trainer of :mod:`gail.bench.peers`, imported when it runs."""

    def train(job: Job) -> Trained:
        trainer: Trainer = getattr(import_module("gail.bench.peers"), name)
        return trainer(job)

    return train


OURS: tuple[Method, ...] = ("gail", "bc", "ppo", "constant", "constant-uncloned")
TRAINERS: dict[Method, Trainer] = {
    **dict.fromkeys(OURS, methods.ours),
    "random": methods.random,
    "sb3-ppo": _peer("sb3_ppo"),
    "imitation-gail": _peer("imitation_gail"),
}
