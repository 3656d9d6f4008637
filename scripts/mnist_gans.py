"""GANs on MNIST, each trained for the same time, compared in the features of a small classifier.

    python scripts/mnist_gans.py --mnist mnist.npz --minutes 10 --out mnist-gans.json

For each model and seed one row: Fréchet and kernel distance of samples from the test images,
precision and recall, and where there is an encoder the mean squared error of reconstructions of
test images (pixels from 0 to 1). The first row compares training images with test images. Rows are
written one by one; killed, the same command does those that are missing. MNIST is an .npz file with
x_train, y_train and x_test (uint8), which is not part of the repository.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from digit_features import compared, trained
from telling import tell_of
from torch import Tensor

from gail.bench.record import head, read, write
from generative import VAE, Monitor, NeuralModel, Training
from generative.alpha_gan import AlphaGAN
from generative.binarise import DynamicBinarise
from generative.coded_gan import CodedGAN
from generative.coders import Dense
from generative.dcgan import DCGAN
from generative.files import require_writable
from generative.games import HINGE, LEAST_SQUARES, PLAIN, WASSERSTEIN, Game, Techniques
from generative.gan import GAN
from generative.pixels import Rescale
from generative.vae_gan import VAEGAN

TECHNIQUES = {
    "feature matching": Techniques(feature_matching=1.0),
    "minibatch discrimination": Techniques(minibatch_discrimination=16),
    "label smoothing": Techniques(label_smoothing=0.1),
    "historical averaging": Techniques(historical_averaging=1e-3),
    "all four": Techniques(1.0, 16, 0.1, 1e-3),
    "no moving average": Techniques(average=0.0),
}
"""Each is added to DCGAN, which has the moving average alone."""
MODELS = (
    *("plain", "least squares", "dcgan", "wgan", "hinge", "vaegan", "alphagan", "vae"),
    *TECHNIQUES,
)


class TimeIsUp(Exception):
    """The training has had its minutes."""


@dataclass(frozen=True)
class MnistGans:
    """Train, sample, compare, and write a row for each model and seed."""

    mnist: Path
    """The .npz file."""
    out: Path
    """The record; rows that it holds are not done again."""
    scratch: Path = Path("runs")
    """Folder for the classifier and the trained models."""
    models: tuple[str, ...] = MODELS
    """Which, of: plain, least squares, dcgan, wgan, hinge, vaegan, alphagan, vae (on the same
    nets), and DCGAN with the techniques."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of weights, batches and codes."""
    minutes: float = 10.0
    """Of training, each; it ends with the epoch in which they are over."""
    latent: int = 64
    """Width of the codes."""
    channels: int = 32
    """Of the convolutions' largest maps."""
    hidden: tuple[int, ...] = (400, 400)
    """Of the plain GAN's layers."""
    batch_size: int = 64
    """Images a step."""
    learning_rate: float = 2e-4
    """Of Adam; 1e-3 for the VAE."""
    rows: int = 60_000
    """Training images, the first of the file."""
    samples: int = 10_000
    """Of each model, and test images beside them, at most."""
    classifier_epochs: int = 5
    """Passes over the training images, for the features."""
    threads: int = 1
    """Of PyTorch."""

    def run(self) -> None:
        """Do the rows that are missing."""
        torch.set_num_threads(self.threads)
        require_writable(self.out)
        if unknown := set(self.models) - set(MODELS):
            raise SystemExit(f"--models has {sorted(unknown)}; expected some of {MODELS}.")
        train, labels, test, test_labels = load(self.mnist)
        train, labels = train[: self.rows], labels[: self.rows]
        path = self.scratch / f"digit-features-{self.rows}.safetensors"
        judge = trained(path, train, labels, self.classifier_epochs)
        real = judge.features(test[: self.samples])
        record = self.begun(judge.accuracy(test, test_labels))
        if not record["records"]:
            fake = judge.features(train[torch.randperm(len(train))[: self.samples]])
            self.keep(record, {"model": "training images", **compared(real, fake)})
        for seed in self.seeds:
            for name in self.models:
                if any(
                    (row["model"], row.get("seed")) == (name, seed) for row in record["records"]
                ):
                    continue
                model, told = self.train(name, seed, train)
                fake = judge.features(self.drawn(model))
                row = {"model": name, "seed": seed, **compared(real, fake), **told}
                self.keep(record, row | self.reconstruction(model, test))

    def begun(self, accuracy: float) -> dict[str, Any]:
        """The record so far."""
        settings = {
            name: value
            for name, value in asdict(self).items()
            if name not in ("mnist", "out", "scratch", "models", "seeds")
        }
        about = {
            "settings": settings,
            "mnist_sha256": hashlib.sha256(self.mnist.read_bytes()).hexdigest(),
            "classifier_accuracy": accuracy,
        }
        if not self.out.exists():
            return {**head("mnist-gans"), **about, "records": []}
        record = read(self.out)
        if record["settings"] != {k: _json(v) for k, v in settings.items()}:
            raise SystemExit(f"{self.out} has rows of other settings; choose another --out.")
        return record

    def keep(self, record: dict[str, Any], row: dict[str, Any]) -> None:
        """Add a row and write all."""
        tell_of(**row)
        record["records"].append(row)
        write(self.out, record)

    def train(self, name: str, seed: int, train: Tensor) -> tuple[NeuralModel, dict[str, Any]]:
        """A model after its minutes, and how far it came."""
        torch.manual_seed(seed)  # of the first weights
        model = self.build(name)
        rate = 1e-3 if name == "vae" else self.learning_rate
        training = Training(1_000_000, self.batch_size, rate, "constant")
        began = time.perf_counter()

        def report(epoch: int, metrics: dict[str, float]) -> None:
            if time.perf_counter() - began > 60 * self.minutes:
                raise TimeIsUp

        generator = torch.Generator().manual_seed(seed)
        with suppress(TimeIsUp):
            model.fit(train, training=training, monitor=Monitor(report=report), generator=generator)
        seconds = time.perf_counter() - began
        model.save(self.scratch / f"{self.out.stem}-{name.replace(' ', '-')}-{seed}.zip")
        return model.eval(), {
            "epochs": int(model.epochs_trained),
            "seconds": round(seconds, 1),
            "parameters": sum(each.numel() for each in model.parameters()),
        }

    def build(self, name: str) -> NeuralModel:
        """An unfitted model."""
        shape = (1, 28, 28)
        scale = Rescale(0, 255)
        maps, bare = DCGAN(self.channels), DCGAN(self.channels, critic_norm=False)

        def gan(network: Dense | DCGAN, game: Game, techniques: Techniques | None = None) -> GAN:
            return GAN(
                shape,
                self.latent,
                network=network,
                game=game,
                techniques=techniques,
                preprocessing=scale,
            )

        match name:
            case "plain":
                return gan(Dense(self.hidden, "leaky_relu"), PLAIN)
            case "least squares":
                return gan(maps, LEAST_SQUARES)
            case "dcgan":
                return gan(maps, PLAIN)
            case "wgan":
                return gan(bare, WASSERSTEIN)
            case "hinge":
                return gan(bare, HINGE)
            case "vaegan":
                return VAEGAN(shape, self.latent, network=maps, preprocessing=scale)
            case "alphagan":
                return AlphaGAN(shape, self.latent, network=maps, preprocessing=scale)
            case "vae":
                return VAE(shape, self.latent, network=maps, preprocessing=DynamicBinarise(255))
        return gan(maps, PLAIN, TECHNIQUES[name])

    def drawn(self, model: NeuralModel) -> Tensor:
        """Samples in shades from 0 to 255."""
        g = torch.Generator().manual_seed(0)
        if isinstance(model, VAE):
            return model.sample(self.samples, g, means=True)
        return model.sample(self.samples, g).clamp(0, 255)

    def reconstruction(self, model: NeuralModel, test: Tensor) -> dict[str, float]:
        """The mean squared error of test images from their codes, if there are codes."""
        if not isinstance(model, VAE | CodedGAN):
            return {}
        some = test[: self.samples]
        made = model.reconstruct(some, generator=torch.Generator().manual_seed(0))
        return {"reconstruction": round(float(((made - some) / 255).square().mean()), 5)}


def load(path: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images (N, 1, 28, 28) as bytes, their labels, test images and theirs."""
    with np.load(path, allow_pickle=False) as file:
        images, labels = (
            [torch.from_numpy(file[f"{letter}_{part}"]) for part in ("train", "test")]
            for letter in "xy"
        )
    return images[0][:, None], labels[0].long(), images[1][:, None], labels[1].long()


def _json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


if __name__ == "__main__":
    tyro.cli(MnistGans).run()
