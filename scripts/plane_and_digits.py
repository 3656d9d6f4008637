"""How close energies and diffusion come to densities of known form, and what they do on digits.

    python scripts/plane_and_digits.py --out benchmarks/generative/energies.json

In the plane: three Gaussians of different shapes. Errors of energies are mean absolute ones of
differences, on draws of the density, in nats; errors of scores are relative to the score's norm, of
the density with the noise at which the model knows it. On digits: completions of 30% hidden pixels
(mean squared errors, pixels from 0 to 16) and classification by the lowest energy, on others.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from sklearn.datasets import load_digits
from telling import mean, tell_of
from torch import Tensor

from gail.bench.record import head, write
from generative import (
    BayesClassifier,
    Chain,
    Diffusion,
    DropConstant,
    EnergyModel,
    GaussianMixture,
    Mixture,
    Standardise,
    Training,
)
from generative.coders import Dense
from generative.denoisers import Perceptron
from generative.files import require_writable
from generative.objectives import ContrastiveDivergence, NoiseContrast, Objective, ScoreMatching
from generative.two_sample import mean_discrepancy

KERNEL = 0.5  # width, of the discrepancies
REPEATS = 100  # of data against data


@dataclass(frozen=True)
class PlaneAndDigits:
    """Train, compare with what is known, write the figures."""

    rows: int = 20_000
    """Of the density in the plane."""
    epochs: int = 60
    """Passes over them."""
    batch_size: int = 512
    """Rows a step."""
    learning_rate: float = 4e-3
    """Of Adam, falling to 0."""
    hidden: tuple[int, ...] = (128, 128)
    """Of the nets in the plane."""
    noise: float = 0.3
    """At which scores are compared, in units of the data's spread."""
    digit_epochs: int = 300
    """Passes over the digits."""
    temperatures: int = 300
    """Of annealed importance sampling."""
    seed: int = 0
    """Of everything."""
    threads: int = 1
    """Of PyTorch."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Train, measure, print, write."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin = head("energies", ["scikit-learn"])
        record = {
            **origin,
            "settings": {k: v for k, v in asdict(self).items() if k != "out"},
            "plane": self.plane(),
            "digits": self.digits(),
        }
        if self.out is not None:
            write(self.out, record)

    def generator(self, seed: int = 0) -> torch.Generator:
        """A source of randomness."""
        return torch.Generator().manual_seed(self.seed + seed)

    def training(self) -> Training:
        """Of models in the plane."""
        return Training(self.epochs, self.batch_size, self.learning_rate, "cosine")

    def plane(self) -> dict[str, Any]:
        """Errors of each model."""
        x = three_blobs().sample(self.rows, self.generator(1))
        objectives: dict[str, Objective] = {
            "noise contrast": NoiseContrast(),
            "contrastive divergence": ContrastiveDivergence(),
            "persistent chains": ContrastiveDivergence(size=0.5, persistent=2048),
            "score matching": ScoreMatching(self.noise),
        }
        found = {name: self.energy(objective, x) for name, objective in objectives.items()}
        torch.manual_seed(self.seed)
        model = Diffusion(2, network=Perceptron((*self.hidden, self.hidden[-1])), parts=0.0)
        began = time.perf_counter()
        model.fit(x, training=self.training(), generator=self.generator())
        seconds = time.perf_counter() - began
        noise = self.noise * float(model.basis.scale)
        rows = three_blobs(noise).sample(4000, self.generator(2))
        y = three_blobs().sample(4000, self.generator(2))
        bound = three_blobs().log_prob(y) - model.elbo(y, generator=self.generator())
        found["diffusion"] = tell_of(
            score=relative(model.score_fn(rows, noise=self.noise), score(three_blobs(noise), rows)),
            below_log_density=mean(bound),
            **self.discrepancy(model.sample(2000, self.generator(3), steps=20)),
            seconds=round(seconds, 1),
        )
        return found

    def energy(self, objective: Objective, x: Tensor) -> dict[str, float]:
        """Errors of an energy-based model."""
        torch.manual_seed(self.seed)
        model = EnergyModel(2, objective=objective, network=Dense(self.hidden, "silu"))
        training = self.training()
        if objective.chains:  # that are kept have to follow, from one mode to another too
            training = replace(training, learning_rate=self.learning_rate / 2)
        began = time.perf_counter()
        model.fit(x, training=training, generator=self.generator())
        seconds = time.perf_counter() - began
        smooth = isinstance(objective, ScoreMatching)
        noise = self.noise * float(model.basis.scale) if smooth else 0.0
        density = three_blobs(noise)
        rows = density.sample(4000, self.generator(2))
        with torch.no_grad():
            gap = model.energy(rows) + density.log_prob(rows)
        value, error = model.normalise(2000, self.temperatures, generator=self.generator(4))
        return tell_of(
            energy=mean((gap - gap.median()).abs()),
            score=relative(model.score_fn(rows), score(density, rows)),
            normaliser_off=round(abs(value - summed(model)), 4),
            normaliser_error=round(error, 4),
            **self.discrepancy(model.sample(2000, self.generator(3), steps=400), noise),
            seconds=round(seconds, 1),
        )

    def discrepancy(self, drawn: Tensor, noise: float = 0.0) -> dict[str, float]:
        """Squared discrepancy of samples from data, and the 95% quantile of data from data."""
        n, density = len(drawn), three_blobs(noise)
        data = [density.sample(n, self.generator(100 + i)) for i in range(2 * REPEATS)]
        pairs = zip(data[::2], data[1::2], strict=True)
        usual = torch.stack([mean_discrepancy(a, b, KERNEL) for a, b in pairs])
        return {
            "discrepancy": round(float(mean_discrepancy(drawn, data[0], KERNEL)), 6),
            "discrepancy_of_data": round(float(usual.quantile(0.95)), 6),
        }

    def digits(self) -> dict[str, Any]:
        """Completions and classes."""
        loaded: Any = load_digits()
        x, labels = torch.tensor(loaded.data).float(), torch.tensor(loaded.target)
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
        train, test = order[:1400], order[1400:]
        mask = torch.rand(len(test), 64, generator=self.generator(5)) >= 0.3
        training = Training(self.digit_epochs, 64, 1e-3, "cosine")

        def error(filled: Tensor) -> float:
            return mean((filled - x[test])[~mask].square())

        def scale() -> Chain:
            return Chain(DropConstant(), Standardise())

        live = int((x[train].std(0) > 0).sum())
        torch.manual_seed(self.seed)
        energy = EnergyModel(live, objective=ScoreMatching(0.5), least=0.05,
                             network=Dense((256, 256), "silu"), preprocessing=scale())  # fmt: skip
        energy.fit(x[train], training=training, generator=self.generator())
        diffusion = Diffusion(live, parts=0.8, preprocessing=scale())
        diffusion.fit(x[train], training=training, generator=self.generator())
        mixture = GaussianMixture(16, preprocessing=scale(), regularisation=0.1)
        mixture.fit(x[train], generator=self.generator())
        family = EnergyModel(live, network=Dense((64,), "silu"), least=0.01,
                             temperatures=self.temperatures)  # fmt: skip
        family.training_defaults = Training(max(1, self.digit_epochs // 5), 64, 1e-3, "cosine")
        classes = BayesClassifier(family, 10, preprocessing=scale())
        classes.fit(x[train], labels[train], generator=self.generator())
        with torch.no_grad():
            right = classes.predict(x[test]) == labels[test]
        return tell_of(
            completions={
                "mean": error(x[train].mean(0).expand(len(test), -1)),
                "mixture": error(mixture.impute(x[test], mask)),
                "energy": error(
                    energy.impute(x[test], mask, steps=400, generator=self.generator())
                ),
                "diffusion": error(diffusion.impute(x[test], mask)),
            },
            accuracy_by_energy=mean(right.float()),
        )


def three_blobs(noise: float = 0.0) -> Mixture:
    """Three Gaussians in a triangle of spread 1, of different shapes, with noise added."""
    angles = 2 * math.pi * torch.arange(3) / 3
    means = torch.stack([angles.cos(), angles.sin()], 1) * 1.3
    covariances = torch.tensor([[0.12, 0.0], [0.0, 0.12]]).repeat(3, 1, 1)
    covariances[1] = torch.tensor([[0.2, 0.1], [0.1, 0.12]])
    return Mixture.of(torch.tensor([0.4, 0.3, 0.3]), means, covariances + noise**2 * torch.eye(2))


def score(density: Mixture, x: Tensor) -> Tensor:
    """∇ log p (B, 2)."""
    rows = x.detach().clone().requires_grad_()
    return torch.autograd.grad(density.log_prob(rows).sum(), rows)[0]


def relative(found: Tensor, true: Tensor) -> float:
    """Root mean square of the error over that of what is true."""
    return round(float((found - true).norm() / true.norm()), 4)


@torch.no_grad()
def summed(model: EnergyModel) -> float:
    """The log-normaliser by a sum over the plane."""
    side = torch.linspace(-6, 6, 601)
    grid = torch.cartesian_prod(side, side)
    return float((-model.energy(grid)).double().logsumexp(0)) + 2 * math.log(12 / 600)


if __name__ == "__main__":
    tyro.cli(PlaneAndDigits).run()
