"""PixelCNN against both PixelRNNs of about the same size, on 8 x 8 digits, over several seeds.

    python scripts/digits_pixels.py --out benchmarks/generative/digits-pixels.json

Pixels are bits, drawn from the shades anew for each batch; those of the test images once. Of each
training the weights count that are best on images held out for it. Figures are nats an image, on
the same test images for all; the standard error is that of the mean over seeds.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from sklearn.datasets import load_digits
from torch import Tensor

from gail.bench.record import head, write
from generative.binarise import DynamicBinarise
from generative.files import require_writable
from generative.gated_stacks import Gated
from generative.masked_blocks import Masked
from generative.pixel_models import PixelCNN, PixelRNN
from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM
from generative.raster_model import RasterModel
from generative.raster_nets import RasterNetwork
from generative.training import Training

SHAPE = (1, 8, 8)
TEST = 397  # images
HELD_OUT = 200  # of the others
NETWORKS: dict[str, RasterNetwork] = {  # about 21,000 parameters each
    "pixelcnn": Gated(16, 4, first=5),
    "pixelcnn, masked": Masked(20, 4, first=5),
    "pixelrnn, rows": RowLSTM(14, 3, first=5),
    "pixelrnn, diagonal": DiagonalBiLSTM(13, 3, first=5),
}


@dataclass(frozen=True)
class Digits:
    """Train each model with each seed, print a row, write all."""

    seeds: int = 5
    """Of weights and training."""
    epochs: int = 60
    """Passes over the images."""
    batch_size: int = 32
    """Images a step."""
    learning_rate: float = 5e-3
    """Of Adam at first; it falls to 0 by a cosine."""
    threads: int = 1
    """Of torch."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Train, score, write."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin = head("digits-pixels", ["scikit-learn"])
        train, test = digits()
        results = [self.one(name, train, test) for name in NETWORKS]
        settings = {k: v for k, v in asdict(self).items() if k != "out"}
        if self.out is not None:
            write(self.out, {**origin, "settings": settings, "results": results})

    def one(self, name: str, train: Tensor, test: Tensor) -> dict[str, Any]:
        """What one architecture reaches."""
        began, nats, parameters = time.perf_counter(), [], 0
        for seed in range(self.seeds):
            torch.manual_seed(seed)
            model = build(NETWORKS[name])
            parameters = sum(each.numel() for each in model.parameters())
            generator = torch.Generator().manual_seed(seed)
            training = Training(
                self.epochs,
                self.batch_size,
                self.learning_rate,
                "cosine",
                max_grad_norm=1.0,
                patience=self.epochs,  # so that the best weights are kept
            )
            validation = HELD_OUT / len(train)
            model.fit(train, validation=validation, training=training, generator=generator)
            nats.append(-float(model.log_prob(test).double().mean()))
        error = statistics.stdev(nats) / len(nats) ** 0.5 if len(nats) > 1 else None
        seconds = time.perf_counter() - began
        mean = statistics.mean(nats)
        shown = "" if error is None else f" ± {error:.3f}"
        print(
            f"{name}: {parameters} parameters, {mean:.3f}{shown} nats, {seconds:.0f} s", flush=True
        )
        return {
            "model": name,
            "parameters": parameters,
            "nats": nats,
            "mean": mean,
            "standard_error": error,
            "seconds": round(seconds, 1),
        }


def build(network: RasterNetwork) -> RasterModel:
    """A model of the kind that takes the network."""
    kind = PixelCNN if isinstance(network, Gated | Masked) else PixelRNN
    return kind(SHAPE, network=network, preprocessing=DynamicBinarise(16))


def digits() -> tuple[Tensor, Tensor]:
    """Images (N, 1, 8, 8) in shades up to 16 to learn from; others in bits of 0 and 16."""
    x = torch.tensor(load_digits().images, dtype=torch.float32)[:, None]
    fixed = torch.Generator().manual_seed(0)
    x = x[torch.randperm(len(x), generator=fixed)]
    test = x[:TEST]
    return x[TEST:], (torch.rand(test.shape, generator=fixed) * 16 < test) * 16.0


if __name__ == "__main__":
    tyro.cli(Digits).run()
