"""How well a Wasserstein GAN invents windows of demonstrations, beside a sequence VAE.

    python scripts/ant_windows.py --save seqvae.zip --out seqvae.json
    python scripts/ant_gan.py --sequence-vae seqvae.zip --out ant-gan.json

Data, split and two-sample tests are those of ``window_data.py``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from telling import tell, tell_of
from torch import Tensor
from window_data import WindowSettings, some

from gail.bench.record import head, write
from generative.coders import Dense, Network
from generative.dcgan import DCGAN
from generative.files import require_writable
from generative.games import WASSERSTEIN, Techniques
from generative.gan import GAN
from generative.sequence_vae import SequenceVAE
from generative.training import Monitor, Training

ENDLESS = 10**9  # epochs: the minutes end the training


@dataclass(frozen=True)
class AntGan(WindowSettings):
    """Train on windows, compare, write the figures."""

    sequence_vae: Path | None = None
    """A model that ant_windows.py saved, from the same data and split."""
    latent: int = 64
    """Width of the codes."""
    channels: int = 128
    """Of the convolutions' largest maps; 0 for multilayer perceptrons."""
    dense: int = 256
    """Width of the convolutions' dense layer."""
    hidden: tuple[int, ...] = (512, 512)
    """Of the perceptrons' layers."""
    gradient_penalty: float = 10.0
    """Weight."""
    critic_steps: int = 2
    """For each step of the generator."""
    average: float = 0.999
    """What the moving average of the generator keeps at each step."""
    minutes: float = 12.0
    """Of training."""
    batch_size: int = 64
    """Windows a step."""
    learning_rate: float = 5e-4
    """Of Adam."""
    half_precision: bool = True
    """Products in bfloat16 while it learns."""

    def run(self) -> None:
        """Train, measure, print, write."""
        torch.set_num_threads(self.threads)
        for path in filter(None, (self.out, self.save)):
            require_writable(path)
        origin = head("gan-windows")  # of the code that trains
        data = self.windows()
        model, speed = self.train(data.x)
        if self.save is not None:
            model.save(self.save)
        g, n = self.generator(), 2 * len(data.y)
        drawn = {
            "WGAN-GP": lambda: model.sample(n, g),
            "windows fitted to": lambda: some(data.x, n, g),
        }
        if self.sequence_vae is not None:
            other = SequenceVAE.load(self.sequence_vae)
            drawn["sequence VAE"] = lambda: other.sample(n, g)
        record = {
            **origin,
            **data.about,
            "parameters": sum(each.numel() for each in model.parameters()),
            "speed": speed,
            "samples": self.told_apart(drawn, data, g),
        }
        if self.out is not None:
            write(self.out, record)

    def train(self, x: Tensor) -> tuple[GAN, dict[str, float]]:
        """The model, and how long training and drawing 1,000 windows took."""
        torch.manual_seed(self.seed)  # of the first weights
        network: Network = Dense(self.hidden, "leaky_relu")
        if self.channels:
            network = DCGAN(self.channels, critic_norm=False, hidden=self.dense)
        model = GAN(
            tuple(x.shape[1:]),
            self.latent,
            network=network,
            game=replace(
                WASSERSTEIN, gradient_penalty=self.gradient_penalty, critic_steps=self.critic_steps
            ),
            techniques=Techniques(average=self.average),
        )
        training = Training(ENDLESS, self.batch_size, self.learning_rate, minutes=self.minutes)
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half_precision):
            model.fit(
                x, training=training, monitor=Monitor(report=tell), generator=self.generator()
            )
        trained = time.perf_counter()
        model.sample(1000, self.generator())
        drawn = time.perf_counter()
        return model, tell_of(
            training_seconds=round(trained - began, 1),
            seconds_of_1000_windows=round(drawn - trained, 2),
        )


if __name__ == "__main__":
    tyro.cli(AntGan).run()
