"""Log-likelihood of MNIST by PixelCNN and PixelRNN, and how it comes down while they learn.

    python scripts/mnist_pixels.py --mnist mnist.npz --model pixelcnn --minutes 60 --threads 2 \
        --bf16 --out mnist-pixelcnn-0.json

Training images are binarised anew for each batch, test images once with seed 0. The last weights
count; the curve of test images is only watched. With --minutes, as many epochs as fit into the time
are planned after a few trial steps, so that the learning rate has come down to 0 at the end.
MNIST is an .npz file with x_train and x_test (uint8), which is not part of the repository.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.nn import functional as F

from gail import drawing
from gail.bench.record import head, write
from generative.batches import Batch
from generative.binarise import DynamicBinarise
from generative.files import require_writable
from generative.gated_stacks import Gated
from generative.masked_blocks import Masked
from generative.pixel_models import PixelCNN, PixelRNN
from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM
from generative.raster_model import RasterModel
from generative.training import Monitor, Training

Model = Literal["pixelcnn", "masked", "rowlstm", "bilstm"]
TRIAL = 6  # steps that are timed before epochs are planned; the first two do not count


class TimeOver(Exception):
    """The limit was reached at the end of an epoch."""


@dataclass(frozen=True)
class Mnist:
    """Train on MNIST, score the test images, write one record."""

    mnist: Path
    """The .npz file."""
    out: Path
    """The record."""
    model: Model = "pixelcnn"
    """Gated, masked, Row LSTM or Diagonal BiLSTM."""
    side: Literal[28, 14] = 28
    """Height and width; 14 takes means of 2 x 2 pixels before anything is binarised."""
    channels: int = 32
    """Of the net."""
    blocks: int = 7
    """Of the net."""
    first: int = 7
    """Width of the first convolution."""
    epochs: int | None = None
    """Passes over the training images; may be left out with --minutes."""
    minutes: float | None = None
    """Training ends with the first epoch that is over after this time."""
    batch_size: int = 32
    """Images a step."""
    learning_rate: float = 2e-3
    """Of Adam at first; it falls to 0 by a cosine."""
    bf16: bool = False
    """Convolutions in bfloat16 while it learns, which some processors do several times as fast."""
    seed: int = 0
    """Of weights, batches and noise."""
    train_rows: int = 60_000
    """Training images, the first of the file; the others are left out."""
    test_rows: int = 10_000
    """Test images, likewise."""
    watched: int = 1000
    """Test images in the curve."""
    device: str = "cpu"
    """Where all is computed: cpu or cuda."""
    threads: int = 1
    """Of torch."""
    scratch: Path = Path("runs")
    """Folder for the trained model, named after the record."""
    picture: Path | None = None
    """Draw samples and completions of test images."""

    def run(self) -> None:
        """Train, score, write."""
        torch.set_num_threads(self.threads)
        if self.epochs is None and self.minutes is None:
            raise SystemExit("Give --epochs or --minutes.")
        for path in filter(None, (self.out, self.picture)):
            require_writable(path)
        origin = head("mnist-pixels")  # of the code that trains
        train, test, digest = load(self.mnist, self.side)
        train, test = train[: self.train_rows], test[: self.test_rows]
        model = self.build()
        epochs = self.epochs or self.planned(train)
        began = time.perf_counter()
        curve = self.train(model, train, test, epochs)
        trained = time.perf_counter() - began
        nats = -model.log_prob(test).double()
        scored = time.perf_counter() - began - trained
        results = {
            "nats": nats.mean().item(),
            "standard_error": nats.std().item() / len(nats) ** 0.5,
            "bits_per_dimension": model.bits_per_dimension(test).double().mean().item(),
            "images": len(nats),
        }
        record = {
            **origin,
            "model": self.model,
            "seed": self.seed,
            "epochs": epochs,
            "train_rows": len(train),
            "mnist_sha256": digest,
            "parameters": sum(each.numel() for each in model.parameters()),
            "settings": model.settings(),
            "training": asdict(self.training(epochs)),
            "bf16": self.bf16,
            "device": self.device,
            "threads": self.threads,
            "results": results,
            "seconds": {"training": trained, "scoring": scored},
            "curve": curve,
        }
        write(self.out, record)
        model.save(self.scratch / f"{self.out.stem}.model.zip")
        print(json.dumps(results))
        if self.picture is not None:
            draw(model, test, self.picture)

    def build(self) -> RasterModel:
        """The model, its weights drawn from the seed."""
        torch.manual_seed(self.seed)
        shape, rest = (1, self.side, self.side), {"preprocessing": DynamicBinarise(255)}
        sizes = {"channels": self.channels, "blocks": self.blocks, "first": self.first}
        match self.model:
            case "pixelcnn":
                model: RasterModel = PixelCNN(shape, network=Gated(**sizes), **rest)
            case "masked":
                model = PixelCNN(shape, network=Masked(**sizes), **rest)
            case "rowlstm":
                model = PixelRNN(shape, network=RowLSTM(**sizes), **rest)
            case "bilstm":
                model = PixelRNN(shape, network=DiagonalBiLSTM(**sizes), **rest)
        return model.to(self.device)

    def training(self, epochs: int) -> Training:
        """The settings of the trainer."""
        return Training(epochs, self.batch_size, self.learning_rate, "cosine", max_grad_norm=1.0)

    def autocast(self) -> torch.autocast:
        """Half precision, if asked for."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.bf16)

    def planned(self, train: Tensor) -> int:
        """How many epochs fit into the time."""
        assert self.minutes is not None
        model = self.build()
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        x = (train[: self.batch_size] > 127).float().to(self.device)
        at = []
        for _ in range(TRIAL):
            with self.autocast():
                model.loss(Batch(x), self.first_moment(), None)["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
            if self.device != "cpu":
                torch.cuda.synchronize()
            at.append(time.perf_counter())
        step = (at[-1] - at[1]) / (TRIAL - 2)
        # Scoring the watched images goes forward only, which is a third of a step.
        epoch = step * (len(train) + self.watched / 3) / self.batch_size
        epochs = max(1, round(60 * self.minutes / epoch))
        print(f"{step:.3f} s a step; {epochs} epochs of {epoch:.0f} s are planned.", flush=True)
        return epochs

    def first_moment(self) -> Any:
        """Where training begins."""
        from generative.training import Moment

        return Moment(0, 0, 1, 1)

    def train(
        self, model: RasterModel, train: Tensor, test: Tensor, epochs: int
    ) -> list[dict[str, float]]:
        """What each epoch told."""
        curve: list[dict[str, float]] = []
        monitor = Monitor(progress=True, report=self.reporter(model, test, curve))
        generator = torch.Generator(self.device).manual_seed(self.seed)
        try:
            with self.autocast():
                model.fit(
                    train, training=self.training(epochs), monitor=monitor, generator=generator
                )
        except TimeOver:
            print("The time is over.", flush=True)
        return curve

    def reporter(
        self, model: RasterModel, test: Tensor, curve: list[dict[str, float]]
    ) -> Callable[[int, dict[str, float]], None]:
        """Scores some test images after each epoch, in full precision, and watches the clock."""
        began = time.perf_counter()

        def report(epoch: int, metrics: dict[str, float]) -> None:
            seconds = time.perf_counter() - began
            with torch.autocast(self.device, enabled=False):
                nats = -float(model.log_prob(test[: self.watched]).double().mean())
            curve.append(
                {
                    "epoch": epoch,
                    "seconds": round(seconds, 1),
                    "train_nats": round(metrics["loss"], 3),
                    "test_nats": round(nats, 3),
                }
            )
            print(json.dumps(curve[-1]), flush=True)
            if self.minutes is not None and seconds > 60 * self.minutes:
                raise TimeOver

        return report


def load(path: Path, side: int) -> tuple[Tensor, Tensor, str]:
    """Training images (N, 1, side, side) in shades, test images in bits of 0 and 255; the hash."""
    with np.load(path, allow_pickle=False) as file:
        train, test = (torch.from_numpy(file[name])[:, None] for name in ("x_train", "x_test"))
    if side == 14:
        train, test = (F.avg_pool2d(each.float(), 2) for each in (train, test))
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(test.flatten(1).shape, generator=generator).view(test.shape)
    bits = (share < test / 255).to(torch.uint8) * 255
    return train, bits, hashlib.sha256(path.read_bytes()).hexdigest()


def draw(model: RasterModel, test: Tensor, path: Path) -> None:
    """Samples; test images, their upper halves, and these completed."""
    generator = torch.Generator(model.device).manual_seed(0)
    some = test[:10].to(model.device)
    seen = torch.zeros(some.shape, dtype=torch.bool, device=model.device)
    seen[:, :, : some.shape[2] // 2] = True
    lines = [model.sample(20, generator), some, torch.where(seen, some, 127)]
    lines += [model.impute(some, seen, generator=generator) for _ in range(3)]
    sheet = torch.cat([each.float().cpu() for each in lines])
    title = "samples (2 lines); data; upper halves; completions (3 lines)"
    drawing.save(drawing.image_grid(sheet.numpy(), title, 10, (0, 255)), path)


if __name__ == "__main__":
    tyro.cli(Mnist).run()
