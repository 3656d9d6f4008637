"""How many modes GANs find: eight Gaussians on a ring, and 25 on a grid.

    python scripts/gan_modes.py --out benchmarks/generative/gan-modes.json

A sample is good within three standard deviations of a mode, and a mode is found if a good sample
of 2,500 is nearest to it.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from telling import tell_of
from torch import Tensor

from gail.bench.record import head, write
from generative import Standardise, Training
from generative.coders import Dense
from generative.fidelity import modes_found
from generative.files import require_writable
from generative.games import HINGE, LEAST_SQUARES, PLAIN, Game, Techniques
from generative.gan import GAN

STD = 0.05  # of a mode
SAMPLES = 2500
GAMES = {
    "plain": PLAIN,
    "least squares": LEAST_SQUARES,
    "hinge": HINGE,
    "wasserstein": Game("wasserstein", gradient_penalty=0.1, betas=(0.0, 0.9)),
}


@dataclass(frozen=True)
class GanModes:
    """Train on both, count, write the figures."""

    games: tuple[str, ...] = tuple(GAMES)
    """Which, of: plain, least squares, hinge (with spectral norm), wasserstein (with a gradient
    penalty of weight 0.1)."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of weights, data and codes."""
    ring_steps: int = 2000
    """Of the generator, on the ring."""
    grid_steps: int = 6000
    """On the grid."""
    ring_hidden: tuple[int, ...] = (64, 64)
    """Of the nets."""
    grid_hidden: tuple[int, ...] = (128, 128, 128)
    """On the grid."""
    batch_size: int = 128
    """Rows a step on the ring; twice as many on the grid."""
    learning_rate: float = 6e-3
    """Of Adam, falling to 0; a quarter of it on the grid."""
    average: float = 0.99
    """What the moving average of the generator keeps at each step."""
    threads: int = 1
    """Of PyTorch."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Train, count, print, write."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        record = head("gan-modes")
        record["settings"] = {k: v for k, v in asdict(self).items() if k != "out"}
        record["std"] = STD
        record["records"] = [
            self.row(game, data, seed)
            for data in ("ring", "grid")
            for game in self.games
            for seed in self.seeds
        ]
        if self.out is not None:
            write(self.out, record)

    def row(self, game: str, data: str, seed: int) -> dict[str, Any]:
        """What one training comes to."""
        grid = data == "grid"
        modes, rate = (grid_of_25(), 0.25) if grid else (ring_of_8(), 1.0)
        batch = self.batch_size * (2 if grid else 1)
        g = torch.Generator().manual_seed(seed)
        which = torch.randint(len(modes), (20 * batch,), generator=g)
        x = modes[which] + STD * torch.randn(len(which), 2, generator=g)
        torch.manual_seed(seed)  # of the first weights
        model = GAN(
            2,
            4,
            network=Dense(self.grid_hidden if grid else self.ring_hidden),
            game=GAMES[game],
            techniques=Techniques(average=self.average),
            preprocessing=Standardise(),
        )
        steps = self.grid_steps if grid else self.ring_steps
        training = Training(max(1, steps // 20), batch, rate * self.learning_rate, "cosine")
        began = time.perf_counter()
        model.fit(x, training=training, generator=g)
        seconds = time.perf_counter() - began
        found, good = modes_found(model.sample(SAMPLES, g), modes, 3 * STD)
        return tell_of(
            data=data,
            game=game,
            seed=seed,
            modes=found,
            of=len(modes),
            good=round(good, 4),
            seconds=round(seconds, 1),
        )


def ring_of_8() -> Tensor:
    """Modes (8, 2) at a distance of 2 from the middle."""
    angle = 2 * math.pi * torch.arange(8) / 8
    return 2 * torch.stack([angle.cos(), angle.sin()], 1)


def grid_of_25() -> Tensor:
    """Modes (25, 2), 2 apart."""
    side = 2 * torch.arange(-2.0, 3.0)
    return torch.cartesian_prod(side, side)


if __name__ == "__main__":
    tyro.cli(GanModes).run()
