"""What a run's folder tells: its curves, its time, its score."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from gail.bench.record import command
from gail.bench.score import Score
from gail.curves import STEP
from gail.errors import GailError
from gail.playing import EVALUATION_SEED
from gail.presets import Settings
from gail.runs import RunFolder
from gail.scorekeeper import read_scores

Rows = list[dict[str, str]]

POINTS = 100  # of a learning curve
RETURN = "rollout/ep_rew_mean"
# Of a run's flags: this project's settings, or the field that other learners keep theirs in.
SETTINGS = {*(each.name for each in fields(Settings)), "settings"} - {"steps"}
EVALUATED = (
    *("returns", "lengths", "falls", "random_return", "expert_return"),
    *("forward_distance", "mean_speed", "deterministic"),
)


def progress(folder: Path) -> Rows:
    """The whole rows of ``progress.csv``, an iteration each; none without the file."""
    path = folder / "progress.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if row.get(STEP) and None not in row.values()]


def column(rows: Rows, name: str, points: int = POINTS) -> list[tuple[int, float]]:
    """Steps and values of one column where it has any, thinned to about so many.

    >>> column([{"time/total_timesteps": "10", "loss": "0.5"}], "loss")
    [(10, 0.5)]
    """
    found = [(int(float(row[STEP])), float(row[name])) for row in rows if row.get(name)]
    stride = max(1, len(found) // points)
    return found[::stride]


def wall_seconds(rows: Sequence[Mapping[str, str]]) -> float:
    """Seconds of training, all its parts together if it was interrupted.

    SB3 counts iterations and seconds from 1 and 0 again whenever a run goes on.

    >>> parts = [(1, 3.0), (2, 6.0), (1, 2.5)]
    >>> rows = [{"time/iterations": f"{n}", "time/time_elapsed": f"{s}"} for n, s in parts]
    >>> wall_seconds(rows)
    8.5
    """
    total = last = 0.0
    before = 0
    for row in rows:
        iteration, seconds = int(float(row["time/iterations"])), float(row["time/time_elapsed"])
        if iteration <= before:
            total += last
        before, last = iteration, seconds
    return total + last


def training_seconds(folder: Path) -> float:
    """Wall time of the training so far, without the scores on the way."""
    return max(wall_seconds(progress(folder)) - playing_seconds(folder), 0.0)


def playing_seconds(folder: Path) -> float:
    """Wall time of the scores on the way."""
    return sum(seconds for _, _, seconds in read_scores(folder / "scores.csv"))


def score_of(folder: Path) -> Score:
    """The score of a run that ``gail train`` or ``gail bench`` made, as it is on disk.

    A run without ``evaluation.json`` has no episodes yet.

    Raises:
        GailError: there is no run, or its files are damaged or of another version.
    """
    config, rows = RunFolder.open(folder).config(), progress(folder)
    evaluation = _evaluation(folder)
    try:
        flags = config["flags"]
        return Score(
            method=method_of(flags),
            environment=flags["env"],
            demonstrations=config["demonstrations"],
            reference=config["demonstrations"],
            every=flags["every"],
            asked_steps=flags["steps"],
            steps=int(float(rows[-1][STEP])) if rows else 0,
            seed=flags["seed"],
            **{name: evaluation[name] for name in EVALUATED if name in evaluation},
            evaluation_seed=evaluation.get("seed", EVALUATION_SEED),
            seconds=training_seconds(folder),
            curve=column(rows, RETURN),
            scores=[(step, mean) for step, mean, _ in read_scores(folder / "scores.csv")],
            settings={name: flags[name] for name in flags if name in SETTINGS},
            command=command(config["command_line"]),
            **{name: config[name] for name in ("commit", "versions", "hardware")},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise GailError(
            f"{folder} was written by another version ({type(error).__name__}: {error}); "
            "read it with that one."
        ) from error


def method_of(flags: Mapping[str, Any]) -> str:
    """The method's name, from the flags of ``gail train``.

    >>> method_of({"method": "gail", "discriminator": {"reward": "constant"}})
    'constant'
    """
    name: str = flags["method"]
    if name == "gail" and flags.get("discriminator", {}).get("reward") == "constant":
        cloned = flags.get("cloning", {}).get("steps", 1) > 0
        return "constant" if cloned else "constant-uncloned"
    return name


def _evaluation(folder: Path) -> dict[str, Any]:
    """The content of ``evaluation.json``; nothing where there is none."""
    path = folder / "evaluation.json"
    if not path.is_file():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise GailError(f"{path} is damaged ({error}); score the run again.") from error
    return content
