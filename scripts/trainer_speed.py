"""How long the shared trainer takes, beside a plain loop over the same nets.

Both train a denoising autoencoder on the same rows with the same optimiser; the rounds alternate
and the median of their ratios is printed, for a small and a usual net.

    python scripts/trainer_speed.py --rounds 9
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import tyro
from torch import Tensor

from generative import Batch, Moment, NeuralModel, Training
from generative.chain import describe
from generative.nets import mlp
from generative.transform import Transform

ROWS, WIDTH, BATCH = 8192, 64, 128


class Denoiser(NeuralModel):
    """Maps noisy rows to rows."""

    def __init__(self, hidden: list[int], preprocessing: Transform | None = None) -> None:
        super().__init__(preprocessing)
        self.hidden = hidden
        self.net = mlp(WIDTH, hidden, WIDTH)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {"hidden": self.hidden, "preprocessing": describe(self.preprocessing)}

    def check(self, batch: Batch) -> None:
        """Every row fits."""

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        """How far the net is from the rows."""
        return {"loss": denoising_loss(self.net, batch.x, generator)}

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Not asked of this one."""
        raise TypeError("A Denoiser is only trained here, for its speed.")


def denoising_loss(net: torch.nn.Module, x: Tensor, generator: torch.Generator | None) -> Tensor:
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    return (net(x + noise) - x).square().mean()


def plain_loop(net: torch.nn.Module, x: Tensor, epochs: int, generator: torch.Generator) -> None:
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.0)
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator, device=x.device)
        for index in order.split(BATCH):
            loss = denoising_loss(net, x[index], generator)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@dataclass(frozen=True)
class Speed:
    """Measure how long the trainer takes in parts of a plain loop."""

    rounds: int = 9
    """Measurements of each, in turns."""
    epochs: int = 5
    """In a measurement."""
    threads: int = 1
    """On the CPU."""
    device: str = "cpu"
    """cpu or cuda."""

    def run(self) -> None:
        """Measure and print."""
        torch.set_num_threads(self.threads)
        for hidden in ([32], [256, 256]):
            print(f"hidden layers {hidden}: {self.ratio(hidden):.3f} of a plain loop's seconds")

    def ratio(self, hidden: list[int]) -> float:
        """Seconds of the trainer over those of the plain loop, median over the rounds."""
        generator = torch.Generator(self.device).manual_seed(0)
        x = torch.randn(ROWS, WIDTH, generator=generator, device=self.device)
        model = Denoiser(hidden).to(self.device)
        net = mlp(WIDTH, hidden, WIDTH).to(self.device)
        training = Training(epochs=self.epochs, batch_size=BATCH)

        def trainer() -> None:
            model.fit(x, training=training, generator=generator)

        def plain() -> None:
            plain_loop(net, x, self.epochs, generator)

        pairs = [(seconds(trainer), seconds(plain)) for _ in range(self.rounds + 1)]
        return statistics.median(ours / theirs for ours, theirs in pairs[1:])  # the first warms up


def seconds(work: Callable[[], None]) -> float:
    """Of one call, the device's work included."""
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    tyro.cli(Speed).run()
