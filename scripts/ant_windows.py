"""How well a sequence VAE codes, invents and forecasts windows of demonstrations.

    python scripts/ant_windows.py --out benchmarks/generative/ant-windows.json

The data are those of ``window_data.py``. All figures are on held-out episodes, in
standardised units, and all methods see the same windows.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
import tyro
from telling import mean, rounded, tell, tell_of
from torch import Tensor
from window_baselines import PrincipalComponents, Ridge, autoregression, last_value
from window_data import Windows, WindowSettings, some

from gail.bench.record import head, write
from generative.files import require_writable
from generative.sequence_vae import SequenceVAE
from generative.training import Monitor, Training

PENALTIES = (100.0, 300.0, 1000.0, 3000.0, 10_000.0, 30_000.0)  # of the ridge


@dataclass(frozen=True)
class AntWindows(WindowSettings):
    """Train on windows, compare with linear models, write the figures."""

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

    def run(self) -> None:
        """Train, measure, print, write."""
        torch.set_num_threads(self.threads)
        for path in filter(None, (self.out, self.save)):
            require_writable(path)
        origin = head("windows")  # of the code that trains
        data = self.windows()
        x, y = data.x, data.y
        model, seconds = self.train(x)
        if self.save is not None:
            model.save(self.save)
        record = {
            **origin,
            **data.about,
            "parameters": sum(each.numel() for each in model.parameters()),
            "training_seconds": seconds,
            "bounds": self.bounds(model, x, y),
            "reconstruction": self.reconstruction(model, x, y),
            "samples": self.samples(model, data),
            "forecasts": self.forecasts(model, x, y),
        }
        if self.out is not None:
            write(self.out, record)

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

    def samples(self, model: SequenceVAE, data: Windows) -> dict[str, dict[str, list[float]]]:
        """Accuracies of two-sample tests by draw, held-out windows against others."""
        g, n, x = self.generator(), 2 * len(data.y), data.x
        gaussian = PrincipalComponents.fit(x, self.latent)
        drawn = {
            "model": lambda: model.sample(n, g),
            "pca gaussian": lambda: gaussian.sample(n, tuple(x.shape[1:]), g),
            "windows fitted to": lambda: some(x, n, g),
        }
        return self.told_apart(drawn, data, g)

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


if __name__ == "__main__":
    tyro.cli(AntWindows).run()
