"""GANs on MNIST, each trained for the same time, compared in the features of a small classifier.

    python scripts/mnist_gans.py --mnist mnist.npz --out mnist-gans.json

For each model and seed one row: Fréchet and kernel distance of samples from the test images,
precision and recall, and where there is an encoder the mean squared error of reconstructions of
test images (pixels from 0 to 1). The first row compares training images with test images. Rows are
written one by one; killed, the same command does those that are missing. MNIST is an .npz file with
x_train, y_train and x_test (uint8), which is not part of the repository.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import tyro
from digit_features import DigitClassifier, compared, trained
from telling import tell_of
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from gail import drawing
from gail.bench.record import head, read, write
from generative import VAE, NeuralModel, Training
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
BARE = ("plain", "least squares", "dcgan", "wgan", "hinge", "vaegan", "alphagan", "vae")
MODELS = (*BARE, *TECHNIQUES)
ORDER = {name: place for place, name in enumerate(("training images", *MODELS))}
CODED = {"vaegan": VAEGAN, "alphagan": AlphaGAN, "vae": VAE}
SHOWN = 16  # samples of each in the picture
ENDLESS = 10**9  # epochs: the minutes end a training


class Digits(NamedTuple):
    """Images (N, 1, 28, 28) as bytes, and what judges them."""

    train: Tensor
    test: Tensor
    test_labels: Tensor
    judge: DigitClassifier


@dataclass(frozen=True)
class MnistGans:
    """Train, sample, compare, and write a row for each model and seed."""

    mnist: Path
    """The .npz file."""
    out: Path
    """The record; rows that it holds are not done again."""
    scratch: Path = Path("runs")
    """Folder for the classifier and the trained models."""
    picture: Path | None = None
    """Draw samples of the trained models of the first seed into this file."""
    models: tuple[str, ...] = MODELS
    """Which, of: plain, least squares, dcgan, wgan, hinge, vaegan, alphagan, vae (on the same
    nets), and DCGAN with the techniques."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of weights, batches and codes."""
    minutes: float = 2.5
    """Of training, each."""
    workers: int = 2
    """Trainings at once; no more than there are cores for their threads."""
    latent: int = 16
    """Width of the codes."""
    channels: int = 16
    """Of the convolutions' largest maps; twice as many for hinge."""
    dense: int = 256
    """Width of their dense layer; hinge has none, as it ends in a single mode with it."""
    critic_steps: int = 2
    """For each step of the generator, of wgan."""
    hidden: tuple[int, ...] = (400, 400)
    """Of the plain GAN's layers."""
    batch_size: int = 64
    """Images a step."""
    learning_rate: float = 5e-4
    """Of Adam; twice as much for hinge and the VAE."""
    half_precision: bool = True
    """Products in bfloat16 while they learn."""
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
        require_writable(self.out)
        if unknown := set(self.models) - set(MODELS):
            raise SystemExit(f"--models has {sorted(unknown)}; expected some of {MODELS}.")
        data = self.data()
        record = self.begun(data.judge.accuracy(data.test, data.test_labels))
        if not record["records"]:
            fake = data.train[torch.randperm(len(data.train))[: self.samples]]
            row = compared(
                data.judge.features(data.test[: self.samples]), data.judge.features(fake)
            )
            self.keep(record, {"model": "training images", **row})
        done = {(row["model"], row.get("seed")) for row in record["records"]}
        wanted = ((name, seed) for seed in self.seeds for name in self.models)
        with ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn")) as pool:
            rows = [pool.submit(self.row, *each) for each in wanted if each not in done]
            for row in as_completed(rows):
                self.keep(record, row.result())
        if self.picture is not None:
            self.draw(self.picture)

    def data(self) -> Digits:
        """The images, and the classifier that judges them, from its file if there is one."""
        torch.set_num_threads(self.threads)
        train, labels, test, test_labels = load(self.mnist)
        train, labels = train[: self.rows], labels[: self.rows]
        path = self.scratch / f"digit-features-{self.rows}.safetensors"
        judge = trained(path, train, labels, self.classifier_epochs)
        return Digits(train, test, test_labels, judge)

    def row(self, name: str, seed: int) -> dict[str, Any]:
        """What one training comes to."""
        data = self.data()
        model, told = self.train(name, seed, data.train)
        real, fake = data.test[: self.samples], self.drawn(model, self.samples)
        distances = compared(data.judge.features(real), data.judge.features(fake))
        return {
            "model": name,
            "seed": seed,
            **distances,
            **told,
            **self.reconstruction(model, data.test),
        }

    def begun(self, accuracy: float) -> dict[str, Any]:
        """The record so far."""
        settings = {
            name: value
            for name, value in asdict(self).items()
            if name not in ("mnist", "out", "scratch", "picture", "models", "seeds", "workers")
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
        record["records"].sort(key=lambda each: (each.get("seed", -1), ORDER[each["model"]]))
        write(self.out, record)

    def train(self, name: str, seed: int, train: Tensor) -> tuple[NeuralModel, dict[str, Any]]:
        """A model after its minutes, and how far it came."""
        torch.manual_seed(seed)  # of the first weights
        model = self.build(name)
        moves = 0

        def count(*_: Any) -> None:
            nonlocal moves
            moves += 1

        hook = register_optimizer_step_post_hook(count)
        began, busy = time.perf_counter(), time.process_time()
        rate = self.learning_rate * (2 if name in ("hinge", "vae") else 1)
        training = Training(ENDLESS, self.batch_size, rate, minutes=self.minutes)
        generator = torch.Generator().manual_seed(seed)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half_precision):
            model.fit(train, training=training, generator=generator)
        seconds = time.perf_counter() - began, time.process_time() - busy
        hook.remove()
        model.save(self.saved(name, seed))
        return model, {
            "steps": moves // len(model.turns(0)),
            "seconds": round(seconds[0], 1),
            "processor_seconds": round(seconds[1], 1),
            "parameters": sum(each.numel() for each in model.parameters()),
        }

    def build(self, name: str) -> NeuralModel:
        """An unfitted model."""
        shape = (1, 28, 28)
        scale = Rescale(0, 255)
        maps = DCGAN(self.channels, hidden=self.dense)
        bare = replace(maps, critic_norm=False)

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
                return gan(bare, replace(WASSERSTEIN, critic_steps=self.critic_steps))
            case "hinge":
                return gan(replace(bare, channels=2 * self.channels, hidden=0), HINGE)
            case "vaegan":
                return VAEGAN(shape, self.latent, network=maps, preprocessing=scale)
            case "alphagan":
                return AlphaGAN(shape, self.latent, network=maps, preprocessing=scale)
            case "vae":
                return VAE(shape, self.latent, network=maps, preprocessing=DynamicBinarise(255))
        return gan(maps, PLAIN, TECHNIQUES[name])

    def saved(self, name: str, seed: int) -> Path:
        """The file of a trained model."""
        return self.scratch / f"{self.out.stem}-{name.replace(' ', '-')}-{seed}.zip"

    def drawn(self, model: NeuralModel, n: int) -> Tensor:
        """Samples (n, 1, 28, 28) in shades from 0 to 255."""
        g = torch.Generator().manual_seed(0)
        if isinstance(model, VAE):
            return model.sample(n, g, means=True)
        return model.sample(n, g).clamp(0, 255)

    def draw(self, path: Path) -> None:
        """A line of samples of each model without techniques, as they come."""
        names = [name for name in BARE if name in self.models]
        lines = [
            self.drawn(CODED.get(name, GAN).load(self.saved(name, self.seeds[0])), SHOWN)
            for name in names
        ]
        title = "; ".join(names)
        drawing.save(drawing.image_grid(torch.cat(lines).numpy(), title, SHOWN, (0, 255)), path)

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
