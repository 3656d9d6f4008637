"""Pictures of data and of what a generative model makes of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gail.tables import Table
from generative.files import replacing_file

Rows = NDArray[Any]
PANELS = 6  # at most so many dimensions are drawn
CURVES = 8  # at most so many sequences of data, and of samples


def samples_of(source: Table, samples: Rows) -> Figure:
    """Samples, beside the data where that helps: a grid, a pair plot, or curves over time.

    Args:
        source: what the model was fitted to.
        samples: (n, ...), of the shape of the source's rows.
    """
    match source.kind:
        case "images":
            return image_grid(samples, limits=(float(source.x.min()), float(source.x.max())))
        case "vectors":
            return pair_plot(source.x, samples)
        case "sequences":
            return trajectories(source.x, samples, source.lengths)


def image_grid(
    images: Rows,
    title: str = "",
    columns: int | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Images side by side.

    Args:
        images: (n, height, width) or (n, channels, height, width), in any unit; three channels
            are red, green and blue, of any other number the mean is drawn.
        title: written above.
        columns: images a row; by default about as many as rows.
        limits: the values that are black and white, those beyond included; by default the least
            and largest of all.

    >>> image_grid(np.zeros((5, 8, 8)), columns=3).get_size_inches().tolist()
    [3.0, 2.0]
    """
    low, high = limits or (images.min(), images.max())
    shades = ((images - low) / max(high - low, 1e-12)).clip(0, 1)
    if shades.ndim == 4:
        colours = shades.shape[1] == 3
        shades = np.moveaxis(shades, 1, -1) if colours else shades.mean(1)
    n, height, width = shades.shape[:3]
    columns = columns or math.ceil(math.sqrt(n))
    lines = math.ceil(n / columns)
    sheet = np.ones((lines * (height + 1), columns * (width + 1), *shades.shape[3:]))
    for i, image in enumerate(shades):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image
    figure = _figure(columns, lines + (0.4 if title else 0.0))
    axes = figure.add_axes((0.0, 0.0, 1.0, lines / (lines + 0.4) if title else 1.0))
    axes.imshow(sheet, cmap="gray", interpolation="nearest", vmin=0, vmax=1)
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=10)
    return figure


def trajectories(
    data: Rows, samples: Rows, lengths: Rows | None = None, *, label: str = "samples"
) -> Figure:
    """Data and samples over time, a panel for each of some dimensions.

    Args:
        data: (N, T, D).
        samples: (n, S, D).
        lengths: (N,), how many steps of each row of data count; all if not given.
        label: what the samples are called.

    The six dimensions of the largest variance are drawn, and the first eight rows of each.

    >>> figure = trajectories(np.zeros((4, 9, 2)), np.zeros((3, 9, 2)), np.array([9, 9, 4, 2]))
    >>> [line.get_xdata().size for line in figure.axes[0].lines]
    [9, 9, 4, 2, 9, 9, 9]
    """
    counts = np.full(len(data), data.shape[1]) if lengths is None else lengths
    valid = np.arange(data.shape[1]) < counts[:, None]  # (N, T)
    chosen = _widest(data[valid])
    figure = _figure(7.0, 1.4 * len(chosen) + 0.6)
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    for axes, dimension in zip(panels, chosen, strict=True):
        for i, row in enumerate(data[:CURVES]):
            curve = row[: counts[i], dimension]
            axes.plot(curve, color="C0", alpha=0.6, linewidth=1, label="data" if i == 0 else None)
        for i, row in enumerate(samples[:CURVES]):
            axes.plot(
                row[:, dimension],
                color="C1",
                alpha=0.6,
                linewidth=1,
                label=label if i == 0 else None,
            )
        axes.tick_params(labelsize=6)
        axes.set_ylabel(f"dimension {dimension}", fontsize=8)
    panels[0].legend(fontsize=6)
    panels[-1].set_xlabel("step", fontsize=8)
    figure.tight_layout()
    return figure


def pair_plot(data: Rows, samples: Rows, names: list[str] | None = None) -> Figure:
    """Data and samples over each pair of dimensions, histograms of both on the diagonal.

    Args:
        data: (N, D).
        samples: (n, D).
        names: of the dimensions; by default their numbers. The six of the largest variance are
            drawn.
    """
    chosen = _widest(data)
    size = len(chosen)
    figure = _figure(1.8 * size + 0.6, 1.8 * size + 0.6)
    grid = figure.subplots(size, size, squeeze=False)
    for row, i in enumerate(chosen):
        for column, j in enumerate(chosen):
            axes = grid[row, column]
            axes.tick_params(labelsize=6)
            if i == j:
                values = [data[:, i], samples[:, i]]
                axes.hist(values, bins=30, density=True, histtype="step", label=["data", "samples"])
            else:
                axes.plot(data[:, j], data[:, i], ".", markersize=1, alpha=0.5)
                axes.plot(samples[:, j], samples[:, i], ".", markersize=1, alpha=0.5)
            if row == size - 1:
                axes.set_xlabel(names[j] if names else f"dimension {j}", fontsize=8)
            if column == 0:
                axes.set_ylabel(names[i] if names else f"dimension {i}", fontsize=8)
    grid[0, 0].legend(fontsize=6)
    figure.tight_layout()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with replacing_file(path) as handle:
        figure.savefig(handle, format="png", dpi=100)


def _widest(data: Rows) -> Rows:
    """The dimensions of rows (N, D) that vary most, in their order."""
    return np.sort(np.argsort(-data.var(0), kind="stable")[:PANELS])


def _figure(width: float, height: float) -> Figure:
    """A figure that needs no screen and touches no global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure
