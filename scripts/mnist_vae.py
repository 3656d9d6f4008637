"""Bounds on the log-likelihood of MNIST by VAEs with two hidden layers of 400.

    python scripts/mnist_vae.py --mnist mnist.npz --model vae --out mnist-vae-0.json

Training images are binarised anew for each batch, test images once with seed 0. The last weights
count; the curve of test images is only watched. Killed, the same command goes on where it was.
MNIST is an .npz file with x_train and x_test (uint8), which is not part of the repository.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.nn import functional as F

from gail.bench.record import head, write
from generative.binarise import DynamicBinarise
from generative.coders import Activation, Dense
from generative.hyperspherical import Hypersphere
from generative.inverse_autoregressive import InverseAutoregressive
from generative.latents import DiagonalGaussian, Latent
from generative.training import Monitor, Training
from generative.vae import VAE

PIXELS = 784
WATCHED = 1000  # test images in the curve
Model = Literal["vae", "iaf", "svae"]


@dataclass(frozen=True)
class Mnist:
    """Train on MNIST, bound the test images' log-likelihood, write one record."""

    mnist: Path
    """The .npz file."""
    out: Path
    """The record."""
    scratch: Path = Path("runs")
    """Folder for checkpoint, curve and trained model, named after the record."""
    model: Model = "vae"
    """Diagonal posterior, inverse autoregressive flow, or von Mises-Fisher."""
    seed: int = 0
    """Of weights, batches and noise."""
    epochs: int = 400
    """Passes over the training images."""
    latent: int | None = None
    """Dimensions; 40, or 10 for svae (a sphere of R^11)."""
    steps: int = 2
    """Autoregressive steps (iaf)."""
    step_hidden: tuple[int, ...] = (320,)
    """Hidden layers of their nets (iaf)."""
    hidden: tuple[int, ...] = (400, 400)
    """Hidden layers of encoder and decoder."""
    activation: Activation = "elu"
    """Between them."""
    learning_rate: float = 1e-3
    """At first; it falls to 0 by a cosine."""
    batch_size: int = 128
    """Images a step."""
    warm_up: int = 0
    """Epochs in which the KL part's weight rises from 0."""
    weight_decay: float = 0.0
    """Of AdamW."""
    draws: int | None = None
    """Of the importance-weighted bound; 200, or 500 for svae."""
    plain_epochs: int = 2
    """Epochs of a plain loop and of ours that are timed in turns; 0 for none."""
    train_rows: int = 60_000
    """Training images, the first of the file; the others are left out."""
    threads: int = 1
    """Of torch."""

    def run(self) -> None:
        """Time, train, evaluate, write."""
        torch.set_num_threads(self.threads)
        origin = head("mnist-vae")  # of the code that trains
        train, test, digest = load(self.mnist)
        train = train[: self.train_rows]
        speed = self.speed(train) if self.plain_epochs else None
        model, curve = self.train(train, test)
        started = time.perf_counter()
        results = self.evaluate(model, test)
        record = {
            **origin,
            "model": self.model,
            "seed": self.seed,
            "epochs": self.epochs,
            "train_rows": len(train),
            "mnist_sha256": digest,
            "parameters": sum(each.numel() for each in model.parameters()),
            "settings": model.settings(),
            "training": asdict(self.training(self.epochs)),
            "results": results,
            "seconds_of_evaluation": time.perf_counter() - started,
            "speed": speed,
            "threads": self.threads,
            "curve": curve,
        }
        write(self.out, record)
        model.save(self.scratched("model.zip"))
        print(json.dumps(results))

    def scratched(self, name: str) -> Path:
        """A file of this run that is no result."""
        return self.scratch / f"{self.out.stem}.{name}"

    def build(self) -> VAE:
        """The model, its weights drawn from the seed."""
        torch.manual_seed(self.seed)
        return VAE(
            PIXELS,
            self.latent_variable(),
            network=Dense(self.hidden, self.activation),
            warm_up=self.warm_up,
            preprocessing=DynamicBinarise(255),
        )

    def latent_variable(self) -> Latent:
        """Prior and posteriors."""
        match self.model:
            case "vae":
                return DiagonalGaussian(self.latent or 40)
            case "iaf":
                return InverseAutoregressive(self.latent or 40, self.steps, self.step_hidden)
            case "svae":
                return Hypersphere((self.latent or 10) + 1)

    def training(self, epochs: int) -> Training:
        """The settings of the trainer."""
        return Training(
            epochs, self.batch_size, self.learning_rate, "cosine", weight_decay=self.weight_decay
        )

    def train(self, train: Tensor, test: Tensor) -> tuple[VAE, list[dict[str, float]]]:
        """The trained model, and what each epoch told."""
        model, path = self.build(), self.scratched("curve.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        before = time.perf_counter()

        def report(epoch: int, metrics: dict[str, float]) -> None:
            nonlocal before
            now = time.perf_counter()
            line = {"epoch": epoch, **metrics, "seconds": now - before}
            before = now
            with path.open("a") as file:
                file.write(json.dumps({k: round(v, 3) for k, v in line.items()}) + "\n")

        model.fit(
            train,
            validation=test[:WATCHED],
            training=self.training(self.epochs),
            monitor=Monitor(
                progress=True, report=report, checkpoint=self.scratched("checkpoint.zip")
            ),
            generator=torch.Generator().manual_seed(self.seed),
        )
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return model, list({line["epoch"]: line for line in lines}.values())  # the last told counts

    def evaluate(self, model: VAE, test: Tensor) -> dict[str, Any]:
        """Bounds on all test images, in nats an image."""
        generator = torch.Generator().manual_seed(0)
        draws = self.draws or (500 if self.model == "svae" else 200)
        elbo = model.elbo(test, draws=5, generator=generator).double()
        bound = model.log_prob_is(test, draws, generator=generator).double()
        activity = model.activity(test)
        return {
            "negative_elbo": -elbo.mean().item(),
            "negative_bound": -bound.mean().item(),
            "draws": draws,
            "standard_error": bound.std().item() / len(test) ** 0.5,
            "active": int((activity > 0.01).sum()),
            "images": len(test),
        }

    def speed(self, train: Tensor) -> dict[str, Any]:
        """Seconds of an epoch of ours and of a plain loop over equal nets, in turns."""
        ours, plain = [], []
        for _ in range(self.plain_epochs):
            ours.append(self.seconds_of_an_epoch(train))
            plain.append(plain_epoch(self.build(), train, self.batch_size, self.learning_rate))
        median = {"ours": statistics.median(ours), "plain": statistics.median(plain)}
        return {"ours": ours, "plain": plain, "median": median}

    def seconds_of_an_epoch(self, train: Tensor) -> float:
        """Of the second of two, so that nothing which is done once counts."""
        at: list[float] = []
        monitor = Monitor(report=lambda epoch, metrics: at.append(time.perf_counter()))
        self.build().fit(train, training=self.training(2), monitor=monitor)
        return at[1] - at[0]


def load(path: Path) -> tuple[Tensor, Tensor, str]:
    """Training images (N, 784) in shades, test images in bits of 0 and 255, and the file's hash."""
    with np.load(path, allow_pickle=False) as file:
        train, test = (torch.from_numpy(file[name]).flatten(1) for name in ("x_train", "x_test"))
    share = torch.rand(test.shape, generator=torch.Generator().manual_seed(0))
    bits = (share < test / 255).to(torch.uint8) * 255
    return train, bits, hashlib.sha256(path.read_bytes()).hexdigest()


def plain_epoch(model: VAE, train: Tensor, batch_size: int, learning_rate: float) -> float:
    """Seconds of one epoch of the loop that one would write by hand over these nets."""
    x = train / 255
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    started = time.perf_counter()
    for index in torch.randperm(len(x)).split(batch_size):
        bits = torch.bernoulli(x[index])
        features = model.encoder(bits)
        if isinstance(model.latent, DiagonalGaussian):
            mean, log_variance = model.head.linear(features).chunk(2, -1)
            z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
            kl = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        else:
            posterior = model.head(features)
            draws, log_q = posterior.sample(1)
            z, kl = draws[0], posterior.kl(draws, log_q).sum()
        logits = model.decoder(z).squeeze(-1)
        nll = F.binary_cross_entropy_with_logits(logits, bits, reduction="sum")
        loss = (nll + kl) / len(bits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


if __name__ == "__main__":
    tyro.cli(Mnist).run()
