"""The methods of a race: each turns a run into a policy, in the run's folder.

This project's learners are ``gail train`` itself, so that an interrupted run goes on from its last
checkpoint; :mod:`gail.bench.peers` has the others, which start over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from gail.bench.folders import playing_seconds, training_seconds
from gail.bench.suite import METHODS, Run
from gail.cli.policies import POLICY_FILE
from gail.cli.train import Train
from gail.demonstrations import Demonstrations
from gail.playing import Policy, RandomPolicy, make
from gail.presets import Settings, preset, reward_preset
from gail.runs import RunFolder, provenance


@dataclass(frozen=True)
class Job:
    """One run and what it needs."""

    run: Run
    folder: Path
    """Of the run; made by the method."""
    expert: Demonstrations | None
    """What to imitate, and the scale of the score; None where a reward is learned from."""
    device: str = "auto"
    """Where to compute."""


class Trained(NamedTuple):
    """What a method made."""

    policy: Policy
    seconds: float  # wall time of training, all its parts together


Trainer = Callable[[Job], Trained]


def ours(job: Job) -> Trained:
    """``gail train``, begun or gone on with.

    Raises:
        DivergenceError: training met non-finite values.
        Interrupted: a signal stopped it; it goes on from there the next time.
    """
    from gail.loading import load

    started, policy = time.perf_counter(), job.folder / POLICY_FILE
    seconds, played = training_seconds(job.folder), playing_seconds(job.folder)
    if not policy.is_file():
        _train(job)
        seconds += seconds_since(started, job.folder) + played
    return Trained(load(policy, "cpu"), seconds)


def _train(job: Job) -> None:
    from gail.cli import parse

    if (job.folder / "config.json").is_file():
        parse(["train", "--resume", str(job.folder)]).run()
        return
    words = [*train_words(job.run), "--device", job.device]
    if job.run.points:
        words += ["--score-every", str(points_every(job.run))]
    discard_empty(job.folder)
    parse([*words, "--episodes", "0", "--no-video", "--out", str(job.folder)]).run()


def random(job: Job) -> Trained:
    """Uniformly random actions."""
    env = make(job.run.environment)
    env.close()
    start_folder(job)
    return Trained(RandomPolicy(env.action_space, job.run.seed), 0.0)


def train_words(run: Run) -> list[str]:
    """The command line of ``gail train`` that makes a run, without ``gail`` before it.

    >>> " ".join(train_words(Run("constant", "Ant-v5", trajectories=4, steps=100)))
    'train --env Ant-v5 --trajectories 4 --steps 100 --seed 0 --discriminator.reward constant'
    """
    about = METHODS[run.method]
    words = ["train", "--env", run.environment]
    if run.method in ("bc", "ppo"):
        words += ["--method", run.method]
    if about.imitates:
        words += [] if run.demonstrations is None else ["--demonstrations", run.demonstrations]
        words += [] if run.trajectories is None else ["--trajectories", str(run.trajectories)]
        words += [] if run.every == 1 else ["--every", str(run.every)]
    words += ["--steps", str(run.steps)] if about.steps else []
    words += ["--seed", str(run.seed)]
    given = Train.defaults(words)
    names = [each.name for each in fields(Settings) if each.name != "steps"]
    if run.method in ("bc", "ppo"):
        names = [name for name in names if is_dataclass(getattr(given, name))]
    return [*words, *differences(settings_of(run), given, names)]


def settings_of(run: Run) -> Settings:
    """What one of this project's learners runs with.

    The controls start as GAIL does, from a clone unless their name says otherwise; then every step
    is worth the same. What they score beyond cloning comes from staying alive, what GAIL scores
    beyond them from the discriminator.
    """
    settings = run.settings or preset(run.environment)
    if run.settings is None and run.method == "ppo":
        settings = replace(settings, ppo=reward_preset(run.environment))
    if run.method.startswith("constant"):
        settings = replace(
            settings, discriminator=replace(settings.discriminator, reward="constant")
        )
    if run.method == "constant-uncloned":
        settings = replace(settings, cloning=replace(settings.cloning, steps=0))
    return settings


def differences(wanted: Any, default: Any, names: Iterable[str], group: str = "") -> list[str]:
    """The flags that turn default settings into others.

    Args:
        wanted: settings, a dataclass.
        default: what they are without flags.
        names: the fields to look at.
        group: before the names, for example ``"ppo."``.

    >>> from gail.presets import PPOSettings
    >>> wanted = PPOSettings(net_arch=(64, 64), kl_target=None, scale_rewards=False)
    >>> " ".join(differences(wanted, PPOSettings(), asdict(wanted), "ppo."))
    '--ppo.kl-target None --ppo.net-arch 64 64 --ppo.no-scale-rewards'
    """
    words: list[str] = []
    for name in names:
        value, known = getattr(wanted, name), getattr(default, name)
        if is_dataclass(value):
            words += differences(value, known, asdict(known), f"{name}.")
        elif value != known:
            words += _flag(group, name.replace("_", "-"), value)
    return words


def _flag(group: str, name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{group}{name}" if value else f"--{group}no-{name}"]
    return [f"--{group}{name}", *map(str, value if isinstance(value, tuple) else [value])]


def start_folder(job: Job, settings: dict[str, Any] | None = None) -> RunFolder:
    """The folder of a run that ``gail train`` knows nothing of, with its configuration.

    Args:
        job: what is run.
        settings: of the learner.
    """
    import torch

    from gail.cli.training import description

    run = RunFolder(job.folder)
    run.path.mkdir(parents=True, exist_ok=True)
    about = METHODS[job.run.method]
    flags = {
        "env": job.run.environment,
        **{name: getattr(job.run, name) for name in ("method", "every", "steps", "seed")},
        "settings": settings or {},
    }
    described = description(job.expert) if about.imitates and job.expert else None
    made = provenance(torch.device("cpu"))
    if about.package is not None:
        distribution = about.package.split(".")[0]
        made["versions"][distribution] = version(distribution)
    run.write_json("config.json", {"flags": flags, "demonstrations": described, **made})
    for name in ("progress.csv", "scores.csv"):  # of a run that was cut off; it starts over
        (run.path / name).unlink(missing_ok=True)
    return run


def seconds_since(started: float, folder: Path) -> float:
    """Wall time since a reading of ``time.perf_counter``, without the scores on the way."""
    return time.perf_counter() - started - playing_seconds(folder)


def points_every(run: Run) -> int:
    """Environment steps between two scores of the deterministic policy."""
    return -(-run.steps // run.points)


def discard_empty(folder: Path) -> None:
    """Remove what a run that was killed before its configuration was written left behind."""
    for path in (folder / "checkpoints", folder):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
