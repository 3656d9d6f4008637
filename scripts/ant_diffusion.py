"""How well diffusion invents and completes windows of demonstrations, beside other models.

    python scripts/ant_windows.py --save seqvae.zip --out seqvae.json
    python scripts/ant_diffusion.py --sequence-vae seqvae.zip --out ant-diffusion.json

Data, split and two-sample tests are those of ``window_data.py``. For completions 30% of the
dimensions are hidden over the whole window, chosen anew for each; mean squared errors are over
what is hidden, in standardised units. The mixture sees single steps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from telling import mean, tell, tell_of
from torch import Tensor
from window_data import Windows, WindowSettings, some

from gail.bench.record import head, write
from generative import Diffusion, GaussianMixture
from generative.denoisers import Mixer
from generative.files import require_writable
from generative.noise import Noise
from generative.sequence_vae import SequenceVAE
from generative.training import Monitor, Training


@dataclass(frozen=True)
class AntDiffusion(WindowSettings):
    """Train on windows, compare, write the figures."""

    sequence_vae: Path | None = None
    """A model that ant_windows.py saved, from the same data and split."""
    width: int = 192
    """Numbers kept of each step."""
    blocks: int = 4
    """Of the net."""
    parts: float = 0.25
    """Share of windows that show a part of themselves in training."""
    centre: float = 1.0
    """Noise that training is about."""
    epochs: int = 32
    """Passes over the windows."""
    batch_size: int = 64
    """Windows a step."""
    learning_rate: float = 2e-3
    """Of Adam, falling to 0."""
    sample_steps: int = 24
    """From noise to a sample."""
    components: int = 16
    """Of the mixture."""
    missing: float = 0.3
    """Share of dimensions that completions have to fill in."""

    def run(self) -> None:
        """Train, measure, print, write."""
        torch.set_num_threads(self.threads)
        for path in filter(None, (self.out, self.save)):
            require_writable(path)
        origin = head("diffusion-windows")  # of the code that trains
        data = self.windows()
        x, y = data.x, data.y
        model, speed = self.train(x)
        if self.save is not None:
            model.save(self.save)
        other = None if self.sequence_vae is None else SequenceVAE.load(self.sequence_vae)
        record = {
            **origin,
            **data.about,
            "parameters": sum(each.numel() for each in model.parameters()),
            "speed": speed,
            "elbo": mean(model.elbo(y, generator=self.generator())),
            "samples": self.samples(model, other, data),
            "completions": self.completions(model, other, x, y),
        }
        if self.out is not None:
            write(self.out, record)

    def train(self, x: Tensor) -> tuple[Diffusion, dict[str, float]]:
        """The model, and how long training and drawing 1,000 windows took."""
        torch.manual_seed(self.seed)  # of the first weights
        model = Diffusion(
            tuple(x.shape[1:]),
            network=Mixer(self.width, self.blocks),
            noise=Noise(centre=self.centre),
            parts=self.parts,
        )
        training = Training(self.epochs, self.batch_size, self.learning_rate, "cosine")
        began = time.perf_counter()
        model.fit(x, training=training, monitor=Monitor(report=tell), generator=self.generator())
        trained = time.perf_counter()
        model.sample(1000, self.generator(), steps=self.sample_steps)
        drawn = time.perf_counter()
        return model, tell_of(
            training_seconds=round(trained - began, 1),
            seconds_of_1000_windows=round(drawn - trained, 2),
        )

    def samples(
        self, model: Diffusion, other: SequenceVAE | None, data: Windows
    ) -> dict[str, dict[str, list[float]]]:
        """Accuracies of two-sample tests by draw, held-out windows against others."""
        g, n = self.generator(), 2 * len(data.y)
        drawn = {
            "diffusion": lambda: model.sample(n, g, steps=self.sample_steps),
            "windows fitted to": lambda: some(data.x, n, g),
        }
        if other is not None:
            drawn["sequence VAE"] = lambda: other.sample(n, g)
        return self.told_apart(drawn, data, g)

    def completions(
        self, model: Diffusion, other: SequenceVAE | None, x: Tensor, y: Tensor
    ) -> dict[str, Any]:
        """Mean squared errors of what is hidden."""
        g = self.generator()
        kept = torch.rand(len(y), 1, y.shape[2], generator=g) >= self.missing
        mask = kept.expand_as(y).clone()
        mask[~mask.flatten(1).any(1)] = True  # none of such a window would be left

        def error(filled: Tensor) -> float:
            return mean((filled - y)[~mask].square())

        mixture = GaussianMixture(self.components, regularisation=0.01)
        mixture.fit(x.flatten(0, 1)[:: max(1, x.shape[1] * len(x) // 100_000)], generator=g)
        steps = mixture.impute(y.flatten(0, 1), mask.flatten(0, 1)).view_as(y)
        found = {
            "diffusion": error(model.impute(y, mask)),
            "mixture, step by step": error(steps),
            "mean": error(x.mean((0, 1)).expand_as(y)),
        }
        if other is not None:
            found["sequence VAE"] = error(other.impute(y, mask))
        return tell_of(**found)


if __name__ == "__main__":
    tyro.cli(AntDiffusion).run()
