"""The page of one run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from gail.bench.folders import Rows, column, progress, score_of
from gail.bench.score import Score
from gail.bench.suite import METHODS
from gail.bench.summary import Condition, duration, points
from gail.report import charts, page
from gail.report.charts import Axes, Series
from gail.runs import RunFolder

SMALL = (460, 230)
PHASES = ("physics", "policy", "discriminator", "ppo")
# Titles of small charts, and the columns of progress.csv that they show.
CHARTS: dict[str, dict[str, str]] = {
    "share that the discriminator gets right": {
        "of the expert": "discriminator/accuracy_expert",
        "of the policy": "discriminator/accuracy_policy",
    },
    "length of training episodes, steps": {"length": "rollout/ep_len_mean"},
    "KL divergence of an update": {"KL": "train/approx_kl"},
    "standard deviation of the policy": {"deviation": "train/std"},
}


def run_page(folder: Path) -> str:
    """The HTML page of a run's folder, scored or not.

    Raises:
        GailError: there is no run in the folder, or another version wrote it.
    """
    score, rows = score_of(folder), progress(folder)
    title = METHODS[score.method].title  # type: ignore[index]
    parts = [
        page.tiles(headline(score)),
        page.section("Learning", *curves(score, rows)),
        page.section("Rollout", rollout(folder)),
        page.section("Score", page.pairs(facts(score))),
        page.section("Settings", settings(score.settings)),
        origin(score, RunFolder.open(folder).config()),
    ]
    return page.page(f"{score.environment}: {title}", subtitle(score), parts)


def subtitle(score: Score) -> str:
    """What was done, in a line."""
    told = [f"seed {score.seed}", f"{score.steps:,} steps"]
    if score.demonstrations is not None:
        told.insert(0, f"from {Condition((score,)).expert}")
    return " · ".join(told)


def headline(score: Score) -> dict[str, str]:
    """The numbers that are looked for first."""
    found = {
        "normalised score": score.normalised_score is not None and f"{score.normalised_score:.3f}",
        "return": score.mean_return is not None and f"{score.mean_return:.0f}",
        "falls": score.fall_rate is not None and f"{score.fall_rate:.0%}",
        "forward": score.forward_distance is not None and f"{score.forward_distance:.0f} m",
        "training": score.seconds > 0 and duration(score.seconds),
        "steps a second": score.steps_per_second is not None and f"{score.steps_per_second:,.0f}",
    }
    return {name: value for name, value in found.items() if value}


def rollout(folder: Path) -> str:
    """The contact sheet, if there is one."""
    path = folder / "rollout.png"
    if not path.is_file():
        return f'<p class="quiet">None yet: gail render {escape(str(folder))} --out rollout.png</p>'
    return page.figure(page.picture(path, "pictures of one episode, in order of time"))


def curves(score: Score, rows: Rows) -> list[str]:
    """The return over the steps, then what else the log tells, small."""
    drawn = []
    found = [
        Series("acting policy, last 100 episodes", points(score, deterministic=False)),
        Series("deterministic policy", points(score, deterministic=True), dots=True),
    ]
    lines = [each for each in found if each.points]
    if score.steps and lines:
        marks = known_marks(score)
        drawn.append(page.figure(charts.line_chart(lines, Axes(y="return", marks=marks))))
    small = [page.figure(chart) for chart in small_charts(rows)]
    drawn.append(f'<div class="pairs">{"".join(small)}</div>' if small else "")
    seconds = {name: f"time/seconds_{name}" for name in PHASES}
    spent = {name: sum(v for _, v in column(rows, key)) for name, key in seconds.items()}
    drawn.append(page.shares({name: value for name, value in spent.items() if value}))
    return drawn


def known_marks(score: Score) -> list[tuple[str, float]]:
    """Expert and random, where they are known."""
    known = (score.reference or {}).get("mean_return")  # also before the run is scored
    values = {"expert": score.expert_return or known, "random": score.random_return}
    return [(name, value) for name, value in values.items() if value is not None]


def small_charts(rows: Rows) -> list[str]:
    """One for each group of columns that the log has."""
    made = []
    for title, columns in CHARTS.items():
        lines = [Series(name, clipped(column(rows, key))) for name, key in columns.items()]
        lines = [line for line in lines if line.points]
        if lines:
            made.append(charts.line_chart(lines, Axes(y=title, zero=True, size=SMALL)))
    return made


def clipped(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points, with single values far above all others lowered so that the others show.

    >>> clipped([(n, 1.0) for n in range(99)] + [(99, 1000.0)])[-1]
    (99, 4.0)
    """
    if not points:
        return points
    high = 4 * np.quantile([abs(value) for _, value in points], 0.95)
    return [(x, float(np.clip(value, -high, high))) for x, value in points]


def facts(score: Score) -> dict[str, str]:
    """Everything about the score."""
    row = Condition((score,))
    if score.diverged is not None:
        return {"diverged": score.diverged}
    if not score.returns:
        return {"score": "none yet"}
    actions = "deterministic" if score.deterministic else "sampled"
    first = score.evaluation_seed
    told = {
        "episodes": f"{len(score.returns)} of Gymnasium's {score.environment}, {actions} actions, "
        f"reset seeds {first} to {first + len(score.returns) - 1}",
        "return": f"{row.returned} ({min(score.returns):.0f} to {max(score.returns):.0f})",
        "normalised score": f"{row.normalised}, 95% over these episodes",
        "falls": f"{sum(score.falls)} of {len(score.falls)} episodes",
        "forward": row.distance,
        "expert": "unknown" if score.expert_return is None else f"{score.expert_return:.1f}",
        "random actions": f"{score.random_return:.1f}",
    }
    return {name: value for name, value in told.items() if value != "–"}


def settings(groups: Mapping[str, Any]) -> str:
    """The learner's settings, a column for each group."""
    single = {name: value for name, value in groups.items() if not isinstance(value, Mapping)}
    grouped = {name: value for name, value in groups.items() if isinstance(value, Mapping)}
    made = [
        f"<div><p>{escape(name)}</p>{page.pairs({k: str(v) for k, v in values.items()})}</div>"
        for name, values in {**grouped, "run": single}.items()
        if values
    ]
    columns = f'<div class="columns">{"".join(made)}</div>'
    return page.details("all values", columns) if made else ""


def origin(score: Score, config: Mapping[str, Any]) -> str:
    """Where the run was made."""
    told = {
        "command": score.command,
        "started": str(config.get("started", "")),
        "commit": score.commit or "an installed version",
        "versions": ", ".join(f"{name} {value}" for name, value in score.versions.items()),
        "machine": ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in score.hardware.items()),
    }
    return f"<footer>{page.pairs(told)}</footer>"
