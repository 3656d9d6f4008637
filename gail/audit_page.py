"""The page of an audit: scores of all episodes, and the worst moments of those flagged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from gail.audit import Audit, Verdict
from gail.crossfit import AuditSettings
from gail.demonstrations import Episode
from gail.gl import RenderingError
from gail.report import charts, page
from gail.report.charts import Axes, Series

HEAD = ("episode", "steps", "return", "score", "p", "most unusual", "verdict")
WINDOW = 25  # steps that surprise is averaged over
APART = 60  # steps between two moments at least
MOMENTS = 4  # pictures of an episode
SHOWN = 8  # flagged episodes with charts and pictures
ABOVE = 4  # scores are drawn up to so many times the threshold
POINTS = 500  # of a line
READING = (
    "Each episode is scored by mixtures fitted to others: the largest of its median surprise and "
    "of how far each sensor is from what all others tell of it, in standard deviations of usual "
    "episodes, over its strangest quarter. p is the probability of such a score in a good episode."
)


def audit_page(
    title: str,
    episodes: Sequence[Episode],
    found: Audit,
    settings: AuditSettings,
    env_id: str | None,
) -> str:
    """An HTML page that needs no other file.

    Args:
        title: what was audited.
        episodes: of the file.
        found: what the audit says of them.
        settings: of the audit.
        env_id: Gymnasium id, to draw moments; None draws none.
    """
    flagged = [each for each in found.verdicts if each.flagged]
    worst = sorted(flagged, key=lambda each: -each.score)
    drawn = [each for each in worst if len(each.surprise)][:SHOWN]
    parts = [
        page.tiles(
            {
                "episodes": str(len(episodes)),
                "flagged": str(len(flagged)),
                "false alarms asked for": f"{settings.false_alarms:.0%}",
                "compared with": f"{found.known} episodes",
            }
        ),
        page.section("Episodes", scores_chart(found), verdicts(episodes, found.verdicts)),
        *(flagged_section(each, episodes[each.number], found, env_id) for each in drawn),
    ]
    return page.page(f"Audit of {title}", env_id or "task unknown", parts)


def scores_chart(found: Audit) -> str:
    """A dot for each episode; what is far above the threshold is drawn lower."""
    finite = [each.score for each in found.verdicts if math.isfinite(each.score)]
    line = found.threshold if math.isfinite(found.threshold) else max([*finite, 1.0])
    top = ABOVE * max(line, 1.0)
    points = [(float(each.number), min(each.score, top)) for each in found.verdicts]
    marks = [("threshold", found.threshold)] if math.isfinite(found.threshold) else []
    axes = Axes(x="episode", y="score", marks=marks, zero=True)
    caption = f"{READING} Scores above {top:.3g} are drawn there."
    return page.figure(charts.line_chart([Series("score", points, dots=True)], axes), caption)


def verdicts(episodes: Sequence[Episode], found: Sequence[Verdict]) -> str:
    """One row an episode."""
    return page.table(HEAD, [row(episodes[each.number], each) for each in found])


def row(episode: Episode, verdict: Verdict) -> list[str]:
    """Words on one episode, as the page and the command line show them."""
    returned = "–" if episode.rewards is None else f"{float(np.sum(episode.rewards)):.0f}"
    words = "; ".join(verdict.faults) or ("unusual" if verdict.unusual else "")
    score = f"{verdict.score:.1f}" if math.isfinite(verdict.score) else "–"
    return [
        str(verdict.number),
        str(len(episode.actions)),
        returned,
        score,
        f"{verdict.p_value:.3f}",
        verdict.reason,
        words,
    ]


def flagged_section(verdict: Verdict, episode: Episode, found: Audit, env_id: str | None) -> str:
    """Surprise over time, and pictures of the worst moments."""
    line = smooth(verdict.surprise, WINDOW)
    known = math.isfinite(found.step_threshold)  # infinite where there are few steps
    limit = found.step_threshold if known else float(line.max())
    top = max(limit + ABOVE * abs(limit), float(np.quantile(line, 0.5)))
    every = max(1, len(line) // POINTS)
    points = [(float(t), float(min(line[t], top))) for t in range(0, len(line), every)]
    axes = Axes(x="step", y="surprise, nats", marks=[("step threshold", limit)] if known else [])
    above = float((verdict.surprise > found.step_threshold).mean())
    caption = (
        f"Surprise, mean of {min(WINDOW, len(verdict.surprise))} steps; {above:.1%} of the steps "
        f"are above their threshold. Most unusual: {verdict.reason}."
    )
    chart = page.figure(charts.line_chart([Series("surprise", points)], axes), caption)
    return page.section(f"Episode {verdict.number}", chart, pictures(verdict, episode, env_id))


def pictures(verdict: Verdict, episode: Episode, env_id: str | None) -> str:
    """The worst moments, or why they are not shown."""
    if env_id is None:
        return '<p class="quiet">No pictures: the file does not name its task (--env).</p>'
    from gail.rendering import moments

    steps = worst_moments(verdict.surprise)
    try:
        drawn = moments(episode, env_id, steps)
    except (RenderingError, ValueError) as error:
        return f'<p class="quiet">No pictures: {escape(" ".join(str(error).split()))}</p>'
    figures = [
        page.figure(page.picture(image, f"step {step}", width=240), f"step {step}")
        for step, image in zip(steps, drawn, strict=True)
    ]
    return f'<div class="sheets">{"".join(figures)}</div>'


def worst_moments(surprise: NDArray[np.float32], count: int = MOMENTS) -> list[int]:
    """The most surprising steps, some way apart, in order of time.

    >>> worst_moments(np.array([0.0] * 100 + [5.0] + [0.0] * 100), 1)
    [100]
    """
    line, found = smooth(surprise, WINDOW), list[int]()
    left = np.ones(len(line), dtype=np.bool_)
    while left.any() and len(found) < count:
        step = int(np.where(left, line, -np.inf).argmax())
        found.append(step)
        left[max(0, step - APART + 1) : step + APART] = False
    return sorted(found)


def smooth(values: NDArray[np.float32], window: int) -> NDArray[np.float64]:
    """Mean of so many values around each, of fewer at the ends; weights fall to the sides.

    >>> smooth(np.array([0.0, 4.0, 0.0]), 3).tolist()
    [1.3333333333333333, 2.0, 1.3333333333333333]
    """
    kernel = 1.0 - np.abs(np.arange(-(window // 2), window // 2 + 1)) / (window // 2 + 1)
    weights = np.convolve(np.ones(len(values)), kernel, "full")
    total = np.convolve(values.astype(np.float64), kernel, "full")
    inside = slice(window // 2, window // 2 + len(values))
    mean: NDArray[np.float64] = total[inside] / weights[inside]
    return mean
