"""The page of a benchmark."""

from __future__ import annotations

import json
from html import escape
from itertools import groupby
from pathlib import Path

from gail.bench.pictures import interval_chart, learning_curves, names
from gail.bench.score import Score, scores_in
from gail.bench.summary import Condition, conditions, duration
from gail.errors import GailError
from gail.report import page

HEAD = ("method", "steps", "runs", "return", "normalised [95%]", "falls", "forward")
MORE = ("method", "IQM [95%]", "to 0.9", "to 0.95", "training", "steps/s")
READING = (
    "Normalised: 0 is uniformly random actions, 1 the demonstrations' mean return. Intervals "
    "resample seeds and, within each, episodes; with one seed they tell nothing about other seeds. "
    "IQM is the mean of the middle half of all episodes. To 0.9: steps until the deterministic "
    "policy is there, over seeds."
)
CURVES = (
    "Dots: the deterministic policy, whole episodes. Lines without dots: the acting policy's last "
    "100 training episodes, or the level of a method that takes no steps. Shaded: from the lowest "
    "seed to the highest."
)


def suite_page(folder: Path) -> str:
    """The HTML page of the folder of a benchmark's runs.

    Raises:
        GailError: its raw scores cannot be read.
    """
    about = suite_of(folder)
    scores = scores_in(Path(about["out"]))
    if not scores:
        raise GailError(f"{about['out']} has no scores yet; run gail bench {about['suite']}.")
    parts = []
    for environment, group in groupby(conditions(scores), lambda each: each.environment):
        parts.append(task(environment, list(group), folder))
    parts.append(page.section("Runs", page.details("each of them", runs(scores)), diverged(scores)))
    parts.append(origin(scores, Path(about["out"])))
    hours = sum(score.seconds for score in scores)
    told = f"{len(scores)} runs, {duration(hours)} of training"
    return page.page(f"Benchmark: {about['suite']}", told, parts)


def suite_of(folder: Path) -> dict[str, str]:
    """The suite's name and its file of raw scores.

    Raises:
        GailError: ``suite.json`` is damaged.
    """
    path = folder / "suite.json"
    try:
        about = json.loads(path.read_text())
        return {name: str(about[name]) for name in ("suite", "out")}
    except (ValueError, KeyError, TypeError) as error:
        raise GailError(f"{path} is damaged ({error}); run gail bench again.") from error


def task(environment: str, rows: list[Condition], folder: Path) -> str:
    """Table, intervals, curves and pictures of one environment."""
    charts = [
        ("95% intervals of the mean; small dots are seeds.", interval_chart(rows)),
        (CURVES, learning_curves(rows)),
    ]
    drawn = [page.figure(chart, caption) for caption, chart in charts if chart is not None]
    reading = f'<p class="small quiet">{READING}</p>'
    return page.section(environment, *tables(rows), reading, *drawn, sheets(rows, folder))


def tables(rows: list[Condition]) -> list[str]:
    """One row a condition: its score; how it learned; what it learned from."""
    named = list(zip(names(rows), rows, strict=True))
    scored = [
        [name, each.steps, each.count, each.returned, each.normalised, each.falls, each.distance]
        for name, each in named
    ]
    learned = [
        [name, each.iqm, each.reached(0.9), each.reached(0.95), each.time, each.speed]
        for name, each in named
    ]
    experts = ", ".join(sorted({each.expert for each in rows} - {"none"}))
    data = f'<p class="small quiet">Demonstrations: {escape(experts or "none")}.</p>'
    return [page.table(HEAD, scored), page.table(MORE, learned), data]


def sheets(rows: list[Condition], folder: Path) -> str:
    """A contact sheet of the first seed of each condition that has one."""
    found = []
    for name, row in zip(names(rows), rows, strict=True):
        path = folder / row.scores[0].run / "rollout.png"
        if row.scores[0].run and path.is_file():
            caption = f"{name}, seed {row.scores[0].seed}"
            found.append(page.figure(page.picture(path, caption, width=480), caption))
    return f'<div class="sheets">{"".join(found)}</div>' if found else ""


def runs(scores: list[Score]) -> str:
    """One row a run."""
    cells = []
    for score in scores:
        row = Condition((score,))
        normalised = row.normalised.split(" ")[0]
        cells.append([score.run, row.returned, normalised, row.falls, duration(score.seconds)])
    return page.table(("run", "return", "normalised", "falls", "training"), cells)


def diverged(scores: list[Score]) -> str:
    """Why runs have no score."""
    told = {score.run: score.diverged for score in scores if score.diverged is not None}
    return page.pairs(told) if told else ""


def origin(scores: list[Score], out: Path) -> str:
    """Where the runs were made."""
    versions = {f"{n} {v}" for score in scores for n, v in score.versions.items()}
    machines = {
        ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in score.hardware.items())
        for score in scores
    }
    told = {
        "raw scores": out.name,
        "commits": ", ".join(sorted({str(score.commit) for score in scores})),
        "versions": ", ".join(sorted(versions)),
        "machine": "; ".join(sorted(machines)),
    }
    return f"<footer>{page.pairs(told)}</footer>"
