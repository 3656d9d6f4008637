"""Pictures of what an autoencoder makes of data: codes, reconstructions, walks between codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure

from gail.drawing import image_grid

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Generator, Tensor

    from generative.coded_gan import CodedGAN
    from generative.encoder_decoder import EncoderDecoder

ROWS = 2000  # whose codes are drawn, at most
COLUMNS = 10
WALKS = 6


def latent_pictures(
    model: EncoderDecoder | CodedGAN, x: Tensor, generator: Generator | None = None
) -> dict[str, Figure]:
    """A scatter of the codes; of images also reconstructions and walks between codes.

    Args:
        model: fitted.
        x: rows, vectors (B, D) or images (B, C, H, W).
        generator: for the preprocessing.

    Returns:
        Figures by name.
    """
    batch, _ = model.prepare(x[:ROWS], None, generator)
    with torch.no_grad():
        codes = model.codes(batch)
    figures = {"latents": scatter(codes)}
    if x.dim() == 4:
        figures["reconstructions"] = reconstructions(model, x, generator)
        figures["interpolations"] = interpolations(model.generate, codes)
    return figures


def scatter(codes: Tensor) -> Figure:
    """Codes (B, Z) along the two directions in which they vary most."""
    centred = (codes - codes.mean(0)).double().cpu()
    directions = torch.linalg.svd(centred, full_matrices=False)[2][:2]
    places = torch.nn.functional.pad(centred @ directions.T, (0, 2 - len(directions)))
    figure = Figure(figsize=(4.0, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(*places.T.numpy(), ".", markersize=2)
    axes.set_xlabel("first principal component of the codes", fontsize=8)
    axes.set_ylabel("second", fontsize=8)
    axes.tick_params(labelsize=6)
    return figure


def reconstructions(
    model: EncoderDecoder | CodedGAN, x: Tensor, generator: Generator | None
) -> Figure:
    """Images and below each what its code tells of it."""
    some = x[: 3 * COLUMNS]
    made = model.reconstruct(some, generator=generator).cpu()
    lines = [
        _filled(images[start : start + COLUMNS])
        for start in range(0, len(made), COLUMNS)
        for images in (some.cpu().to(made), made)
    ]
    limits = float(x.min()), float(x.max())
    return image_grid(torch.cat(lines).numpy(), "data, reconstructions", COLUMNS, limits)


def interpolations(generate: Callable[[Tensor], Tensor], codes: Tensor) -> Figure:
    """A line for each pair of codes: what lies between them, their length changing evenly.

    Args:
        generate: makes images (n, C, H, W) of codes (n, Z).
        codes: (B, Z).
    """
    pairs = min(WALKS, len(codes) // 2)
    first, last = codes[:pairs, None], codes[pairs : 2 * pairs, None]  # (pairs, 1, Z)
    way = torch.linspace(0, 1, COLUMNS, device=codes.device)[:, None]
    length = torch.lerp(first.norm(dim=-1, keepdim=True), last.norm(dim=-1, keepdim=True), way)
    z = torch.nn.functional.normalize(torch.lerp(first, last, way), dim=-1) * length
    images = generate(z.flatten(0, 1)).cpu()
    return image_grid(images.numpy(), "from code to code", COLUMNS)


def _filled(line: Tensor) -> Tensor:
    """A line of images with empty ones at its end."""
    empty = torch.zeros(COLUMNS - len(line), *line.shape[1:], dtype=line.dtype)
    return torch.cat([line, empty])
