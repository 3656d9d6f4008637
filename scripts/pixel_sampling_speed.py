"""How much faster pixels are drawn when each computes only what it changes.

    python scripts/pixel_sampling_speed.py --out benchmarks/generative/pixel-sampling.json

Naive sampling computes the whole image for each pixel, with the same net and the same uniforms, so
that both have to draw the same pixels. Weights are those a net starts with; only sizes matter here.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from gail.bench.record import head, write
from generative.files import require_writable
from generative.gated_stacks import Gated
from generative.masked_blocks import Masked
from generative.pixel_models import PixelCNN, PixelRNN
from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM
from generative.raster_model import RasterModel
from generative.raster_sampling import complete, complete_naively


@dataclass(frozen=True)
class Speed:
    """Draw both ways, compare, write."""

    side: int = 28
    """Height and width."""
    levels: int = 2
    """Of each pixel."""
    blocks: int = 7
    """Of the net."""
    channels: int = 64
    """Of the net."""
    networks: tuple[str, ...] = ("gated",)
    """Of gated, masked, row and diagonal."""
    batches: tuple[int, ...] = (1, 16)
    """Images drawn at once."""
    repeats: int = 5
    """Cached draws, of which the median counts; the naive one is done once."""
    threads: int = 1
    """Of torch."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Time, print, write."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin = head("pixel-sampling")
        results = []
        for network in self.networks:
            model = self.build(network)
            for rows in self.batches:
                found = self.one(model, rows)
                results.append({"network": network, **found})
                print(json.dumps(results[-1]))
        settings = {k: v for k, v in asdict(self).items() if k != "out"}
        if self.out is not None:
            write(self.out, {**origin, "settings": settings, "results": results})

    def build(self, name: str) -> RasterModel:
        """The model, its weights drawn from seed 0."""
        torch.manual_seed(0)
        shape, size = (1, self.side, self.side), (self.channels, self.blocks)
        match name:
            case "gated":
                return PixelCNN(shape, self.levels, network=Gated(*size))
            case "masked":
                return PixelCNN(shape, self.levels, network=Masked(*size))
            case "row":
                return PixelRNN(shape, self.levels, network=RowLSTM(*size))
            case "diagonal":
                return PixelRNN(shape, self.levels, network=DiagonalBiLSTM(*size))
        raise SystemExit(f"--networks has {name}; expected gated, masked, row or diagonal.")

    def one(self, model: RasterModel, rows: int) -> dict[str, Any]:
        """Seconds of both ways, and whether they drew the same."""
        empty = torch.zeros(rows, *model.image_shape)
        seen = torch.zeros_like(empty, dtype=torch.bool)
        shares = torch.rand(empty.shape, generator=torch.Generator().manual_seed(0))
        given = model.net, model.likelihood, empty, seen, shares
        complete(*given)  # what is done once does not count
        cached = [seconds(lambda: complete(*given)) for _ in range(self.repeats)]
        with torch.no_grad():
            model.net(empty)
        naive, images = seconds(lambda: complete_naively(*given))
        median = statistics.median(each for each, _ in cached)
        return {
            "batch": rows,
            "parameters": sum(each.numel() for each in model.parameters()),
            "cached_seconds": [each for each, _ in cached],
            "naive_seconds": naive,
            "times_faster": naive / median,
            "identical": torch.equal(images, cached[0][1]),
        }


def seconds(draw: Any) -> tuple[float, Tensor]:
    """How long it took, and what was drawn."""
    started = time.perf_counter()
    images = draw()
    return time.perf_counter() - started, images


if __name__ == "__main__":
    tyro.cli(Speed).run()
