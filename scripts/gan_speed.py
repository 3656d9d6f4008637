"""How fast GANs learn beside plain loops of the same nets, in one run and in turns.

    python scripts/gan_speed.py --out benchmarks/generative/gan-speed.json

The plain loops are what one would write by hand: two optimisers, binary cross-entropy of data and
of generated rows one after the other, or the Wasserstein loss with a gradient penalty. They have no
moving average, no checks and no log. What is in the rows does not matter for speed.
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
from generative import Training
from generative.coders import Dense
from generative.dcgan import DCGAN
from generative.files import require_writable
from generative.games import PLAIN, WASSERSTEIN
from generative.gan import GAN

LATENT = 64


@dataclass(frozen=True)
class GanSpeed:
    """Measure steps of the generator in a second."""

    steps: int = 100
    """Of the generator, in a measurement."""
    rounds: int = 9
    """Measurements of each, in turns; one more before them warms up."""
    batch_size: int = 64
    """Rows a step."""
    channels: int = 32
    """Of the convolutions' largest maps."""
    hidden: tuple[int, ...] = (400, 400)
    """Of the multilayer perceptrons."""
    threads: int = 1
    """Of PyTorch."""
    out: Path | None = None
    """Write the raw figures to this file."""

    def run(self) -> None:
        """Measure, print, write."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        record = head("gan-speed")
        settings = {"batch_size": self.batch_size, "steps": self.steps, "threads": self.threads}
        record["settings"] = settings
        image, dense = (1, 28, 28), Dense(self.hidden, "leaky_relu")
        models = {
            "multilayer perceptrons": GAN(784, LATENT, network=dense, game=PLAIN),
            "DCGAN": GAN(image, LATENT, network=DCGAN(self.channels), game=PLAIN),
            "WGAN-GP, perceptrons": GAN(784, LATENT, network=dense, game=WASSERSTEIN),
        }
        record["results"] = {name: self.in_turns(name, each) for name, each in models.items()}
        if self.out is not None:
            write(self.out, record)

    def in_turns(self, name: str, model: GAN) -> dict[str, Any]:
        """Steps a second of ours and of the plain loop, by round, and the median of the ratios."""
        g = torch.Generator().manual_seed(0)
        x = torch.rand(self.steps * self.batch_size, *model.shape, generator=g) * 2 - 1
        training = Training(1, self.batch_size, 2e-4)
        loop = plain_wasserstein if model.game is WASSERSTEIN else plain
        nets = copy.deepcopy(model.generator), copy.deepcopy(model.critic)

        def ours() -> None:
            model.fit(x, training=training, generator=g)

        def theirs() -> None:
            loop(*nets, x, self.batch_size)

        pairs = [(self.rate(ours), self.rate(theirs)) for _ in range(self.rounds + 1)][1:]
        ratio = statistics.median(mine / plain for mine, plain in pairs)
        tell_of(**{name: f"{ratio:.3f} of a plain loop's steps a second"})
        return {
            "ours": [round(mine, 2) for mine, _ in pairs],
            "plain": [round(plain, 2) for _, plain in pairs],
            "ratio": round(ratio, 4),
        }

    def rate(self, work: Callable[[], None]) -> float:
        """Steps a second."""
        began = time.perf_counter()
        work()
        return self.steps / (time.perf_counter() - began)


def plain(generator: nn.Module, critic: nn.Module, x: Tensor, batch_size: int) -> None:
    """A pass over the rows with the non-saturating loss."""
    betas = PLAIN.betas
    generator_adam = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=betas)
    critic_adam = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=betas)
    for rows in torch.randperm(len(x)).split(batch_size):
        real = x[rows]
        ones, zeros = torch.ones(len(real)), torch.zeros(len(real))
        critic_adam.zero_grad()
        F.binary_cross_entropy_with_logits(critic(real), ones).backward()
        fake = generator(torch.randn(len(real), LATENT))
        F.binary_cross_entropy_with_logits(critic(fake.detach()), zeros).backward()
        critic_adam.step()
        generator_adam.zero_grad()
        F.binary_cross_entropy_with_logits(critic(fake), ones).backward()
        generator_adam.step()


def plain_wasserstein(generator: nn.Module, critic: nn.Module, x: Tensor, batch_size: int) -> None:
    """As many steps of the generator, with five of the critic before each."""
    betas = WASSERSTEIN.betas
    generator_adam = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=betas)
    critic_adam = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=betas)
    for _ in range(len(x) // batch_size):
        for _ in range(WASSERSTEIN.critic_steps):
            real = x[torch.randint(len(x), (batch_size,))]
            with torch.no_grad():
                fake = generator(torch.randn(len(real), LATENT))
            between = torch.lerp(real, fake, torch.rand(len(real), 1)).requires_grad_()
            slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
            penalty = (slope.norm(dim=1) - 1).square().mean()
            loss = critic(fake).mean() - critic(real).mean() + 10 * penalty
            critic_adam.zero_grad()
            loss.backward()
            critic_adam.step()
        generator_adam.zero_grad()
        (-critic(generator(torch.randn(batch_size, LATENT))).mean()).backward()
        generator_adam.step()


if __name__ == "__main__":
    tyro.cli(GanSpeed).run()
