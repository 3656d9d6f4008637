"""Line charts as SVG: small, sharp at any size, and in the colours of the page around them.

Colours are CSS variables with a light and a dark value each, so that a chart inside a page
follows its theme; :func:`standalone` gives a file of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

LIGHT = {
    "ink": "#1c2430", "muted": "#66707d", "line": "#e3e7ec", "paper": "#ffffff",
    "s0": "#2563c4", "s1": "#d1661c", "s2": "#16835d", "s3": "#b1348a",
    "s4": "#8a6d00", "s5": "#6b4fc9", "s6": "#0a7f9c", "s7": "#7a7f87",
}  # fmt: skip
DARK = {
    "ink": "#e6eaf0", "muted": "#98a2af", "line": "#2c3440", "paper": "#12161c",
    "s0": "#6ea3f5", "s1": "#f0985a", "s2": "#4cc497", "s3": "#e07fc0",
    "s4": "#d3b54a", "s5": "#a793f2", "s6": "#54bfdb", "s7": "#a4abb5",
}  # fmt: skip
COLOURS = 8
LEFT, RIGHT, TOP, BOTTOM = 52, 18, 24, 42  # pixels around the plot
ROW = 20  # height of a row of the legend
LETTER = 6.6  # width of a letter, about


@dataclass(frozen=True)
class Series:
    """One line.

    Args:
        name: for the legend.
        points: x and y, by x.
        band: x, lowest and highest y around the line.
        dots: mark every point.
    """

    name: str
    points: Points
    band: Sequence[tuple[float, float, float]] = ()
    dots: bool = False


@dataclass(frozen=True)
class Axes:
    """What the axes say, and straight lines across.

    Args:
        x: what is along x.
        y: what is along y.
        marks: names and heights of dashed lines.
        zero: whether y begins at 0 where nothing is below.
        size: of the picture in pixels, without its legend.
    """

    x: str = "environment steps"
    y: str = ""
    marks: Sequence[tuple[str, float]] = ()
    zero: bool = False
    size: tuple[int, int] = (920, 340)


def line_chart(series: Sequence[Series], axes: Axes) -> str:
    """An SVG element.

    Args:
        series: lines with at least one point together.
        axes: what they are drawn on.

    Raises:
        ValueError: if there is nothing to draw.

    >>> line_chart([Series("a", [(0, 0), (1, 2)])], Axes())[:4]
    '<svg'
    """
    xs = [x for each in series for x, _ in each.points]
    if not xs:
        raise ValueError("There is no point to draw.")
    ys = [y for each in series for _, y in each.points]
    ys += [y for each in series for _, *ends in each.band for y in ends]
    ys += [height for _, height in axes.marks]
    across, up = ticks(min(xs), max(xs)), _height([*ys, 0.0] if axes.zero else ys)
    width, height = axes.size
    legend, rows = _legend([each.name for each in series], width)
    end = max(xs) if max(xs) > min(xs) else across[-1]
    across = [value for value in across if value <= end]
    frame = Frame((across[0], end), (up[0], up[-1]), axes.size, TOP + ROW * rows)
    parts = [*legend, *_grid(frame, across, up, axes)]
    for number, each in enumerate(series):
        parts += _line(frame, each, f"var(--s{number % COLOURS})")
    return svg([*parts, *_marks(frame, axes.marks)], (width, height + ROW * rows), axes.y)


def svg(parts: Sequence[str], size: tuple[float, float], label: str) -> str:
    """An SVG element of so many pixels, described in words for those who cannot see it."""
    return (
        f'<svg viewBox="0 0 {size[0]:g} {size[1]:g}" role="img" class="chart" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def standalone(chart: str) -> str:
    """A chart as the content of an SVG file."""
    start, rest = chart.split(">", 1)
    box = start.split('viewBox="0 0 ')[1].split('"')[0].split()
    style = f"<style>{theme()}text{{font:12px system-ui,sans-serif;fill:var(--muted)}}</style>"
    paper = f'<rect width="{box[0]}" height="{box[1]}" rx="6" fill="var(--paper)"/>'
    return f'{start} xmlns="http://www.w3.org/2000/svg">{style}{paper}{rest}\n'


def theme() -> str:
    """The colours as CSS variables, for light and dark screens."""
    light, dark = (
        ";".join(f"--{name}:{value}" for name, value in colours.items())
        for colours in (LIGHT, DARK)
    )
    return f":root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers, evenly spaced, from at or below ``low`` to at or above ``high``.

    >>> ticks(0.0, 4.2)
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if high <= low:
        low, high = low - (abs(low) or 1.0) / 2, low + (abs(low) or 1.0) / 2
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _height(values: Sequence[float]) -> list[float]:
    """Ticks of the y axis; what is beyond them by a hair is drawn just outside."""
    low, high = min(values), max(values)
    hair = 0.02 * (high - low)
    return ticks(low + hair, high - hair)


def short(value: float) -> str:
    """A number for an axis.

    >>> short(1_500_000), short(20_000), short(0.02), short(5000)
    ('1.5M', '20k', '0.02', '5000')
    """
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if abs(value) >= 1e4 else f"{value:g}"


@dataclass(frozen=True)
class Frame:
    """Where values lie in the picture."""

    x: tuple[float, float]
    y: tuple[float, float]
    size: tuple[int, int]
    top: float = TOP
    left: float = LEFT

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels from the left and from the top."""
        (x0, x1), (y0, y1) = self.x, self.y
        across = self.left + (self.right - self.left) * (x - x0) / (x1 - x0)
        return round(across, 1), round(self.top + self.inside * (y1 - y) / (y1 - y0), 1)

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return self.size[0] - RIGHT

    @property
    def inside(self) -> float:
        """Height of the plot."""
        return self.size[1] - TOP - BOTTOM


def _grid(frame: Frame, across: list[float], up: list[float], axes: Axes) -> list[str]:
    parts = []
    bottom = frame.top + frame.inside
    for value in up:
        _, y = frame.at(across[0], value)
        parts.append(f'<path d="M{frame.left} {y}H{frame.right}" stroke="var(--line)"/>')
        parts.append(text(frame.left - 8, y + 4, short(value), "end"))
    for value in across:
        x, _ = frame.at(value, up[0])
        parts.append(text(x, bottom + 18, short(value), "middle"))
    parts.append(text((frame.left + frame.right) / 2, bottom + 36, axes.x, "middle"))
    parts.append(text(frame.left, frame.top - 10, axes.y, "start"))
    return parts


def _line(frame: Frame, series: Series, colour: str) -> list[str]:
    parts = []
    if series.band:
        upper = [frame.at(x, high) for x, _, high in series.band]
        lower = [frame.at(x, low) for x, low, _ in reversed(series.band)]
        outline = " ".join(f"{x},{y}" for x, y in [*upper, *lower])
        parts.append(f'<polygon points="{outline}" fill="{colour}" opacity="0.15"/>')
    places = [frame.at(x, y) for x, y in series.points]
    path = " ".join(f"{x},{y}" for x, y in places)
    parts.append(
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" '
        f'stroke-linejoin="round" stroke-linecap="round"><title>{escape(series.name)}</title>'
        "</polyline>"
    )
    if series.dots or len(places) == 1:
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
    return parts


def _marks(frame: Frame, marks: Sequence[tuple[str, float]]) -> list[str]:
    parts = []
    for name, height in marks:
        _, y = frame.at(frame.x[0], height)
        dashed = 'stroke="var(--muted)" stroke-dasharray="4 4"'
        parts.append(f'<path d="M{frame.left} {y}H{frame.right}" {dashed}/>')
        parts.append(text(frame.right, y - 5, name, "end"))
    return parts


def _legend(names: list[str], width: int) -> tuple[list[str], int]:
    """Coloured names in as many rows as they need, none for a single line."""
    if len(names) < 2:
        return [], 0
    parts, x, row = [], float(LEFT), 0
    for number, name in enumerate(names):
        taken = 36 + LETTER * len(name)
        if x + taken > width - RIGHT and x > LEFT:
            x, row = float(LEFT), row + 1
        y = 10 + ROW * row
        bar = f'<rect x="{x:.1f}" y="{y - 5}" width="14" height="4" rx="2"'
        parts.append(f'{bar} fill="var(--s{number % COLOURS})"/>')
        parts.append(text(x + 20, y + 1, name, "start"))
        x += taken
    return parts, row + 1


def text(x: float, y: float, words: str, anchor: str) -> str:
    """Words at a place; the anchor is start, middle or end."""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'
