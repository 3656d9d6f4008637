"""Pictures of energies and of diffusion: maps of the plane, chains, completions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gail.drawing import image_grid
from generative.langevin import Chains

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from gail.movies import Picture
    from generative import Diffusion, EnergyModel

SIDE = 80  # points of a map along each axis
WALKERS = 100  # drawn of chains in the plane
COLUMNS = 10
HIDDEN = 0.3  # share of values that completions have to fill in
FRAMES = 40
MOVES = 3  # of Langevin chains, from frame to frame


def energy_map(model: EnergyModel, x: Tensor) -> Figure:
    """The energy over the plane, with rows (B, 2) on it; 8 nats from black to white."""
    figure = Figure(figsize=(4.0, 3.4), layout="constrained")
    axes = figure.subplots()
    low, high = x.min(0).values, x.max(0).values
    room = 0.2 * (high - low)
    sides = [
        torch.linspace(float(a - r), float(b + r), SIDE)
        for a, b, r in zip(low, high, room, strict=True)
    ]
    with torch.no_grad():
        grid = torch.cartesian_prod(*sides).to(x.device)
        heights = model.energy(grid).reshape(SIDE, SIDE).T.cpu()
    least = float(heights.min())
    shade = axes.pcolormesh(
        *(side.numpy() for side in sides),
        heights.numpy(),
        cmap="viridis_r",
        vmin=least,
        vmax=least + 8,
        shading="auto",
    )
    figure.colorbar(shade, label="energy in nats", shrink=0.8)
    axes.plot(*x[:500].T.cpu().numpy(), ".", markersize=1, color="white", alpha=0.6)
    axes.tick_params(labelsize=6)
    return figure


def completions(
    impute: Callable[[Tensor, Tensor], Tensor], x: Tensor, shape: tuple[int, ...]
) -> Figure:
    """Images, the same with 30% of their pixels hidden, and completed.

    Args:
        impute: completes rows (B, D), given a mask.
        x: rows (B, D).
        shape: of an image (C, H, W).
    """
    some = x[:COLUMNS].float()
    fixed = torch.Generator(x.device).manual_seed(0)
    mask = torch.rand(some.shape, generator=fixed, device=x.device) > HIDDEN
    whole = impute(some, mask)
    lines = torch.cat([some, torch.where(mask, some, some.min()), whole]).cpu()
    limits = float(x.min()), float(x.max())
    title = "data, 30% hidden, completed"
    return image_grid(lines.reshape(-1, *shape).numpy(), title, len(some), limits)


def langevin_film(
    model: EnergyModel, x: Tensor, shape: tuple[int, ...], generator: Generator
) -> Iterator[Picture]:
    """Chains on their way from the Gaussian part to the model."""
    chains = Chains.at(model.noise(WALKERS, generator), 0.05)
    for _ in range(FRAMES):
        yield frame(model.rows(chains.x), x, shape)
        for _ in range(MOVES):
            chains.move(model.white_energy, generator, adapt=True)


def diffusion_film(
    model: Diffusion, x: Tensor, shape: tuple[int, ...], generator: Generator
) -> Iterator[Picture]:
    """Rows on their way from noise to data."""
    with torch.no_grad():
        for rows in model.walk(WALKERS, generator, steps=FRAMES - 1):
            yield frame(rows, x, shape)


def frame(rows: Tensor, x: Tensor, shape: tuple[int, ...]) -> Picture:
    """Rows as points of the plane over data x, as images, or as curves."""
    if len(shape) == 3:
        limits = float(x.min()), float(x.max())
        some = rows[: COLUMNS * COLUMNS // 2].reshape(-1, *shape)
        return rendered(image_grid(some.cpu().numpy(), columns=COLUMNS, limits=limits))
    figure = Figure(figsize=(3.2, 3.2), layout="constrained")
    axes = figure.subplots()
    low, high = x.flatten(0, -2).min(0).values.cpu(), x.flatten(0, -2).max(0).values.cpu()
    if len(shape) == 1:
        last = min(1, shape[0] - 1)
        for points, colour in ((x[:500], "lightgrey"), (rows, "C1")):
            first, second = (points[:, k].cpu().numpy() for k in (0, last))
            axes.plot(first, second, ".", markersize=2, color=colour)
        axes.set_xlim(float(low[0]), float(high[0]))
        axes.set_ylim(float(low[last]), float(high[last]))
    else:
        axes.plot(rows[:8, :, 0].T.cpu().numpy(), color="C1", linewidth=1)
        axes.set_ylim(float(low[0]), float(high[0]))
    axes.tick_params(labelsize=6)
    return rendered(figure)


def rendered(figure: Figure) -> Picture:
    """The figure's pixels (H, W, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return pixels[..., :3].copy()
