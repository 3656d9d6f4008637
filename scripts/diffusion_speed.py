"""How fast diffusion and energies learn beside plain loops of the same nets, and how they draw.

    python scripts/diffusion_speed.py --out benchmarks/generative/diffusion-speed.json

In one run and in turns. The plain loops are what one would write by hand, with the same nets and
batches: one minimises the model's own loss, the other the simplest of its kind, noise predicted
from noisy windows (without axes of the data, and without learning to complete) and data told from
noise. Rows are of the size of Ant's windows; what is in them does not matter for speed.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from telling import tell_of
from torch import Tensor, nn
from torch.nn import functional as F

from gail.bench.record import head, write
from generative import Diffusion, EnergyModel, Training
from generative.batches import Batch
from generative.coders import Dense
from generative.denoisers import Mixer, Seen
from generative.files import require_writable
from generative.training import Moment

WINDOW = (32, 59)  # T, D of Ant's windows without constant dimensions
BATCH = 64
Loop = tuple[nn.Module, Callable[[Tensor], Tensor]]  # what learns, and its loss


@dataclass(frozen=True)
class DiffusionSpeed:
    """Measure seconds of short trainings, in turns, and seconds of 1,000 windows."""

    rows: int = 1280
    """In a pass."""
    passes: int = 2
    """Of one training."""
    rounds: int = 15
    """Trainings of each, in turns."""
    sample_steps: int = 24
    """From noise to a sample."""
    threads: int = 1
    """Of PyTorch while it learns; samples are drawn with two."""
    out: Path | None = None
    """Write the raw figures to this file."""

    def run(self) -> None:
        """Measure, print, write."""
        if self.out is not None:
            require_writable(self.out)
        record = head("diffusion-speed") | {"sample_steps": self.sample_steps}
        torch.set_num_threads(self.threads)
        record["diffusion"] = self.diffusion()
        record["energies"] = self.energies()
        if self.out is not None:
            write(self.out, record)

    def diffusion(self) -> dict[str, Any]:
        """Of windows, with the net that Ant's are learned by."""
        x = torch.randn(self.rows, *WINDOW, generator=torch.Generator().manual_seed(0))
        model = Diffusion(WINDOW, network=Mixer(192, 4))
        net = copy.deepcopy(model.net)

        def simplest(rows: Tensor) -> Tensor:
            level = torch.randn(len(rows))
            ratio = level.exp()[:, None, None]
            noise = torch.randn_like(rows)
            white = (rows + ratio * noise) / (1 + ratio.square()).sqrt()
            nothing = rows.new_zeros(0, rows.shape[1], 2 * rows.shape[2])  # is known of any
            return F.mse_loss(net(Seen(white, level, torch.zeros_like(rows), nothing)), noise)

        same = self.begun(model, x)
        loops = {"the same loss": same, "the simplest diffusion": (net, simplest)}
        found = self.in_turns(model, x, loops)
        torch.set_num_threads(2)
        began = time.perf_counter()
        model.sample(1000, torch.Generator().manual_seed(0), steps=self.sample_steps)
        found["seconds_of_1000_windows"] = round(time.perf_counter() - began, 2)
        torch.set_num_threads(self.threads)
        return tell_of(**found)

    def energies(self) -> dict[str, Any]:
        """Of rows as wide as one step, by noise contrast."""
        x = torch.randn(32 * self.rows, WINDOW[1], generator=torch.Generator().manual_seed(0))
        model = EnergyModel(WINDOW[1], network=Dense((128, 128), "silu"))
        net = nn.Sequential(copy.deepcopy(model.encoder), copy.deepcopy(model.head))

        def simplest(rows: Tensor) -> Tensor:
            f = net(torch.cat([rows, torch.randn(4 * len(rows), rows.shape[1])]))[:, 0]
            return F.softplus(f[: len(rows)]).mean() + F.softplus(-f[len(rows) :]).mean()

        same = self.begun(model, x)
        loops = {"the same loss": same, "the simplest contrast": (net, simplest)}
        return tell_of(**self.in_turns(model, x, loops))

    def begun(self, model: Diffusion | EnergyModel, x: Tensor) -> Loop:
        """What is done once is done, and not timed: a copy that a plain loop can go on with."""
        model.fit(x[: 2 * BATCH], training=Training(epochs=1, batch_size=BATCH))
        other, moment = copy.deepcopy(model), Moment(0, 0, 1, 1)
        return other, lambda rows: other.loss(Batch(rows), moment, None)["loss"]

    def in_turns(
        self, model: Diffusion | EnergyModel, x: Tensor, loops: dict[str, Loop]
    ) -> dict[str, Any]:
        """Seconds of each training, and the medians of their ratios."""
        training = Training(epochs=self.passes, batch_size=BATCH)
        fixed = torch.Generator().manual_seed(0)
        ours: list[float] = []
        plain: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(self.rounds):
            ours.append(seconds(lambda: model.fit(x, training=training, generator=fixed)))
            for name, loop in loops.items():
                plain[name].append(seconds(lambda loop=loop: plain_loop(*loop, x, self.passes)))
        return {
            "fit_seconds": [round(a, 3) for a in ours],
            "plain_seconds": {name: [round(b, 3) for b in each] for name, each in plain.items()},
            "fit_over_plain": {
                name: round(statistics.median(a / b for a, b in zip(ours, each, strict=True)), 3)
                for name, each in plain.items()
            },
        }


def plain_loop(net: nn.Module, loss: Callable[[Tensor], Tensor], x: Tensor, passes: int) -> None:
    """Training as anyone would write it."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(passes):
        for index in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss(x[index]).backward()
            optimizer.step()


def seconds(work: Callable[[], object]) -> float:
    """Of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    tyro.cli(DiffusionSpeed).run()
