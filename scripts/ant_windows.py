"""How well a sequence VAE codes, invents and forecasts windows of demonstrations.

    python scripts/ant_windows.py --out benchmarks/generative/ant-windows.json

Windows of observations and actions, each dimension standardised, constant ones left out, values
clipped (contact forces have rare spikes of tens of standard deviations, on which every squared
error would otherwise hang). Whole episodes are held out: of each four in the order of their
returns the third, so that falls are on both sides. All figures are on held-out episodes, in
standardised units, and all methods see the same windows.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from torch import Tensor
from window_baselines import PrincipalComponents, Ridge, autoregression, last_value

from gail import Demonstrations
from gail.bench.record import head, write
from generative.chain import Chain
from generative.files import require_writable
from generative.preprocessing import DropConstant, Standardise
from generative.sequence_vae import SequenceVAE
from generative.training import Monitor, Training
from generative.two_sample import two_sample_accuracy
from generative.windows import cut_windows

PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0)  # of the ridge
MLP = (256, 256)  # hidden layers of the second two-sample test
BETWEEN = 8  # steps from one held-out window to the next


@dataclass(frozen=True)
class AntWindows:
    """Train on windows, compare with linear models, write the figures."""

    env: str = "Ant-v5"
    """Task, for the demonstrations shipped with the project."""
    demonstrations: str | None = None
    """Demonstrations from elsewhere."""
    steps: int = 32
    """Of a window; half of them are past in forecasts."""
    stride: int = 1
    """Between the windows that are trained on."""
    clip: float = 5.0
    """Largest standardised value."""
    latent: int = 32
    """Width of the code, and number of principal components."""
    hidden: int = 128
    """Units of the LSTMs."""
    components: int = 16
    """Gaussians of the prior."""
    epochs: int = 6
    """Passes over the windows."""
    batch_size: int = 32
    """Windows a step."""
    learning_rate: float = 2e-3
    """Of Adam, falling to 0."""
    seed: int = 0
    """Of weights, training and samples."""
    threads: int = 1
    """Of PyTorch."""
    save: Path | None = None
    """Keep the model in this file."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Train, measure, print, write."""
        torch.set_num_threads(self.threads)
        for path in filter(None, (self.out, self.save)):
            require_writable(path)
        origin = head("windows")  # of the code that trains
        demos = (
            Demonstrations.shipped(self.env)
            if self.demonstrations is None
            else Demonstrations.load(self.demonstrations, env_id=self.env)
        )
        fit_on, held_out = standardised(*split(demos), self.clip)
        x, _ = cut_windows(fit_on, self.steps, self.stride)
        y, episode = cut_windows(held_out, self.steps, BETWEEN)
        model, seconds = self.train(x)
        if self.save is not None:
            model.save(self.save)
        record = {
            **origin,
            "environment": self.env,
            "demonstrations": {"name": demos.name, "hash": demos.hash},
            "settings": {k: v for k, v in asdict(self).items() if k not in ("out", "save")},
            "episodes": {"fitted": len(fit_on), "held_out": len(held_out)},
            "windows": {"fitted": len(x), "held_out": len(y)},
            "live_dimensions": x.shape[2],
            "parameters": sum(each.numel() for each in model.parameters()),
            "training_seconds": seconds,
            "bounds": self.bounds(model, x, y),
            "reconstruction": self.reconstruction(model, x, y),
            "samples": self.samples(model, x, y, episode),
            "forecasts": self.forecasts(model, x, y),
        }
        if self.out is not None:
            write(self.out, record)

    def generator(self) -> torch.Generator:
        """Fresh, from the seed."""
        return torch.Generator().manual_seed(self.seed)

    def train(self, x: Tensor) -> tuple[SequenceVAE, float]:
        """The model, and how long it took."""
        torch.manual_seed(self.seed)  # of the first weights
        model = SequenceVAE(
            x.shape[2],
            self.steps,
            self.latent,
            hidden=self.hidden,
            components=self.components,
        )
        training = Training(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="cosine",
        )
        began = time.perf_counter()
        model.fit(x, training=training, monitor=Monitor(report=tell), generator=self.generator())
        return model, time.perf_counter() - began

    def bounds(self, model: SequenceVAE, x: Tensor, y: Tensor) -> dict[str, Any]:
        """Bounds on the log-density, in nats a window, and latent variables in use."""
        some = x[:: max(1, len(x) // len(y))]
        g = self.generator()
        return tell_of(
            elbo=mean(model.elbo(some, generator=g)),
            held_out_elbo=mean(model.elbo(y, generator=g)),
            held_out_importance_bound_of_20=mean(model.log_prob_is(y, 20, generator=g)),
            active=int((model.activity(y) > 0.01).sum()),
        )

    def reconstruction(self, model: SequenceVAE, x: Tensor, y: Tensor) -> dict[str, Any]:
        """Mean squared errors of held-out windows from their codes."""
        linear = PrincipalComponents.fit(x, self.latent)
        return tell_of(
            model=mean((model.reconstruct(y) - y).square()),
            pca=mean((linear.reconstruct(y) - y).square()),
            variance=mean((y - x.mean((0, 1))).square()),
        )

    def samples(
        self, model: SequenceVAE, x: Tensor, y: Tensor, episode: Tensor
    ) -> dict[str, dict[str, list[float]]]:
        """Accuracies of two-sample tests by fold, held-out windows against others."""
        g = self.generator()
        n = 2 * len(y)
        gaussian = PrincipalComponents.fit(x, self.latent)
        fakes = {
            "model": model.sample(n, g),
            "pca gaussian": gaussian.sample(n, tuple(x.shape[1:]), g),
            "windows fitted to": x[torch.randperm(len(x), generator=g)[:n]],
        }
        found = {}
        for name, fake in fakes.items():
            fake = fake.clamp(-self.clip, self.clip)
            logistic = two_sample_accuracy(y, fake, groups=episode)
            mlp = two_sample_accuracy(y, fake, hidden=MLP, groups=episode, generator=g)
            found[name] = {"logistic": rounded(logistic), "mlp": rounded(mlp)}
            print(f"{name}: logistic {mean(logistic):.3f}, mlp {mean(mlp):.3f}", flush=True)
        return found

    def forecasts(self, model: SequenceVAE, x: Tensor, y: Tensor) -> dict[str, Any]:
        """Mean squared errors at each horizon.

        Linear forecasts with each penalty; the best one for a horizon is chosen on the held-out
        windows themselves, which favours them.
        """
        half = self.steps // 2
        ahead = self.steps - half
        past, future = y[:, :half], y[:, half:]
        one = Ridge.fit(x[:, :half], x[:, half])
        each = Ridge.fit(x[:, :half], x[:, half:])

        def errors(forecast: Tensor) -> list[float]:
            return rounded((forecast - future).square().mean((0, 2)))

        iterated = [errors(autoregression(one, past, ahead, p)) for p in PENALTIES]
        direct = [errors(each.predict(past, p)) for p in PENALTIES]
        return tell_of(
            model=errors(model.predict(past, ahead)),
            last_value=errors(last_value(past, ahead)),
            linear_autoregression=[min(at) for at in zip(*iterated, strict=True)],
            linear_by_horizon=[min(at) for at in zip(*direct, strict=True)],
            mean_of_fitted=errors(x.mean((0, 1)).expand_as(future)),
        )


def split(demos: Demonstrations) -> tuple[list[Tensor], list[Tensor]]:
    """Episodes (T, O + A) to fit to and held-out ones: of each four by return the third.

    Raises:
        ValueError: if there are too few.
    """
    if demos.num_episodes < 6:
        raise ValueError(
            f"{demos.name} has {demos.num_episodes} episodes; the tests on held-out ones need "
            "three of them, hence 11 or more episodes."
        )
    returns = np.arange(demos.num_episodes) if demos.returns is None else demos.returns
    held = set(np.argsort(returns, kind="stable")[2::4].tolist())
    rows = [
        torch.tensor(np.concatenate([each.observations[:-1], each.actions], 1))
        for each in demos.episodes()
    ]
    kept = [row for i, row in enumerate(rows) if i not in held]
    return kept, [row for i, row in enumerate(rows) if i in held]


def standardised(
    fit_on: list[Tensor], held_out: list[Tensor], clip: float
) -> tuple[list[Tensor], list[Tensor]]:
    """Episodes in units of the standard deviations of those fitted to, clipped."""
    transform = Chain(DropConstant(), Standardise()).fit(torch.cat(fit_on))
    both = [[transform(each)[0].clamp(-clip, clip) for each in some] for some in (fit_on, held_out)]
    return both[0], both[1]


def tell(epoch: int, metrics: dict[str, float]) -> None:
    print(f"epoch {epoch}: " + ", ".join(f"{k} {v:.1f}" for k, v in metrics.items()), flush=True)


def tell_of(**figures: Any) -> dict[str, Any]:
    """The figures, printed."""
    for name, value in figures.items():
        print(f"{name.replace('_', ' ')}: {value}", flush=True)
    return figures


def mean(values: Tensor) -> float:
    return round(float(values.double().mean()), 4)


def rounded(values: Tensor) -> list[float]:
    return [round(float(value), 4) for value in values]


if __name__ == "__main__":
    tyro.cli(AntWindows).run()
