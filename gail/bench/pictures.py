"""Learning curves and intervals of a benchmark, as SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from gail.bench.summary import Condition, points
from gail.report.charts import LEFT, RIGHT, Axes, Frame, Series, line_chart, svg, text, ticks

ROW = 34  # pixels of a condition
LABELS = 320  # pixels of their names
WIDTH = 912


def names(conditions: Sequence[Condition]) -> list[str]:
    """Short names, told apart by the demonstrations' hash where they are the same without."""
    short = [condition.label for condition in conditions]
    twice = {name for name, count in Counter(short).items() if count > 1}
    return [
        f"{name} ({condition.hash[:4]})" if name in twice else name
        for name, condition in zip(short, conditions, strict=True)
    ]


def learning_curves(conditions: Sequence[Condition]) -> str | None:
    """Return over steps: the mean over seeds, and the range of the seeds around it.

    Of the deterministic policy where it was scored on the way, of the acting one elsewhere.
    Methods without steps are level lines. None where no method has a curve.

    Args:
        conditions: of one environment.
    """
    drawn: list[Series] = []
    most = max((score.steps for each in conditions for score in each.sound), default=0)
    for name, condition in zip(names(conditions), conditions, strict=True):
        if condition.method == "random" or not condition.sound:
            continue
        dots = any(score.scores for score in condition.sound)
        if condition.stepless:
            level = float(np.mean(condition.returns))
            drawn.append(Series(name, [(0, level), (most, level)]))
        elif curves := [c for s in condition.sound if (c := points(s, deterministic=dots))]:
            mean, band = over_seeds(curves)
            drawn.append(Series(name, mean, band if len(curves) > 1 else (), dots))
    if most == 0 or not drawn:
        return None
    return line_chart(drawn, Axes(y="return", marks=marks(conditions), size=(WIDTH, 360)))


def marks(conditions: Sequence[Condition]) -> list[tuple[str, float]]:
    """The levels of the experts and of random actions; one for experts that are about as good."""
    scores = [score for condition in conditions for score in condition.sound]
    random = sorted({s.random_return for s in scores if s.random_return is not None})[:1]
    found: list[float] = []
    for level in sorted({s.expert_return for s in scores if s.expert_return is not None}):
        if not found or level > 1.1 * found[-1]:
            found.append(level)
    named = [("expert", level) for level in found] + [("random", level) for level in random]
    return [(f"{name} {round(level)}", float(round(level))) for name, level in named]


def over_seeds(
    curves: Sequence[Sequence[tuple[int, float]]],
) -> tuple[list[tuple[float, float]], list[tuple[float, float, float]]]:
    """Mean, lowest and highest of several curves where all of them are known.

    Args:
        curves: steps and values of each seed, by steps; between two steps values are linear.

    >>> over_seeds([[(0, 0.0), (2, 2.0)], [(0, 2.0), (1, 2.0), (2, 2.0)]])[0]
    [(0.0, 1.0), (1.0, 1.5), (2.0, 2.0)]
    """
    first = max(curve[0][0] for curve in curves)
    last = min(curve[-1][0] for curve in curves)
    steps = sorted({step for curve in curves for step, _ in curve if first <= step <= last})
    grid = np.array(steps or [first], np.float64)
    arrays = [np.array(curve, np.float64) for curve in curves]  # (points, 2) each
    values = np.stack([np.interp(grid, array[:, 0], array[:, 1]) for array in arrays])
    low, mean, high = values.min(0), values.mean(0), values.max(0)
    band = [(float(x), float(a), float(b)) for x, a, b in zip(grid, low, high, strict=True)]
    return [(float(x), float(y)) for x, y in zip(grid, mean, strict=True)], band


def interval_chart(conditions: Sequence[Condition]) -> str | None:
    """Mean normalised scores with their intervals, and every seed's as a small dot.

    Args:
        conditions: of one environment; those without a scale are left out.
    """
    rows = [pair for pair in zip(names(conditions), conditions, strict=True) if pair[1].shares]
    if not rows:
        return None
    ends = [end for _, condition in rows for end in condition.interval or ()]
    seeds = [float(np.mean(run)) for _, condition in rows for run in condition.shares]
    scale = ticks(min([*ends, *seeds, 0.0]), max([*ends, *seeds, 1.0]))
    height = ROW * len(rows) + 66  # what charts have above and below
    frame = Frame((scale[0], scale[-1]), (0, len(rows)), (WIDTH, height), left=LABELS)
    parts = []
    for value in scale:
        x, _ = frame.at(value, 0)
        dashed = ' stroke-dasharray="4 4"' if value == 1.0 else ""
        colour = "var(--muted)" if value == 1.0 else "var(--line)"
        parts.append(f'<path d="M{x} {frame.top}V{height - 42}" stroke="{colour}"{dashed}/>')
        parts.append(text(x, height - 24, f"{value:g}", "middle"))
    parts.append(text((LABELS + WIDTH - RIGHT) / 2, height - 6, "normalised score", "middle"))
    for number, (name, condition) in enumerate(rows):
        parts += _interval(frame, len(rows) - number - 0.5, name, condition)
    return svg(parts, (WIDTH, height), "normalised scores")


def _interval(frame: Frame, row: float, name: str, condition: Condition) -> list[str]:
    assert condition.interval is not None
    assert condition.score is not None
    (low, y), (high, _) = (frame.at(end, row) for end in condition.interval)
    x, _ = frame.at(condition.score, row)
    line = f'<path d="M{low} {y}H{high}" stroke="var(--s0)" stroke-width="3" opacity="0.45"/>'
    dots = [
        f'<circle cx="{frame.at(float(np.mean(run)), row)[0]}" cy="{y + 9}" r="2" '
        'fill="var(--muted)"/>'
        for run in condition.shares
        if len(condition.shares) > 1
    ]
    middle = f'<circle cx="{x}" cy="{y}" r="5" fill="var(--s0)"/>'
    return [text(LABELS - LEFT / 4, y + 4, name, "end"), line, *dots, middle]
