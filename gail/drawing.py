"""Pictures of data and of what a generative model makes of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from generative.files import replacing_file

Rows = NDArray[Any]
PAIRS = 6  # at most so many dimensions in a pair plot


def image_grid(
    images: Rows,
    title: str = "",
    columns: int | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Grey images side by side.

    Args:
        images: (n, height, width), in any unit.
        title: written above.
        columns: images a row; by default about as many as rows.
        limits: the values that are black and white, those beyond included; by default the least
            and largest of all.

    >>> image_grid(np.zeros((5, 8, 8)), columns=3).get_size_inches().tolist()
    [3.0, 2.0]
    """
    n, height, width = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    lines = math.ceil(n / columns)
    sheet = np.full((lines * (height + 1), columns * (width + 1)), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image
    figure = _figure(columns, lines + (0.4 if title else 0.0))
    axes = figure.add_axes((0.0, 0.0, 1.0, lines / (lines + 0.4) if title else 1.0))
    low, high = limits or (images.min(), images.max())
    axes.imshow(sheet, cmap="gray", interpolation="nearest", vmin=low, vmax=high)
    axes.set_axis_off()
    if title:
        axes.set_title(title, fontsize=10)
    return figure


def pair_plot(data: Rows, samples: Rows, names: list[str] | None = None) -> Figure:
    """Data and samples over each pair of dimensions, histograms of both on the diagonal.

    Args:
        data: (N, D).
        samples: (n, D).
        names: of the dimensions; by default their numbers. The six of the largest variance are
            drawn.
    """
    chosen = np.sort(np.argsort(-data.var(0), kind="stable")[:PAIRS])
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


def _figure(width: float, height: float) -> Figure:
    """A figure that needs no screen and touches no global state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure
