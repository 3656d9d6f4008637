"""How fast an EM step of the Gaussian mixture is, beside scikit-learn's.

Both start from the same parameters on the same data in the same run, in turns, on a quiet machine:

    python scripts/gmm_speed.py --out benchmarks/generative/gmm-speed.json

A step is the difference between a fit of 1 + steps steps and one of 1, so that checks and
conversions of the data, done once a fit, do not count on either side.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Reference
from threadpoolctl import threadpool_limits

from gail.bench.record import head, write
from generative import GaussianMixture


@dataclass(frozen=True)
class Speed:
    """Measure seconds a step."""

    rows: int = 25_000
    """N."""
    features: int = 105
    """D."""
    components: tuple[int, ...] = (16, 32)
    """K, one table row each."""
    steps: int = 3
    """EM steps in a measurement."""
    rounds: int = 5
    """Measurements of each, in turns."""
    threads: int = 2
    """Of both libraries."""
    out: Path | None = None
    """Write the raw figures to this file."""

    def run(self) -> None:
        """Measure, print, write."""
        torch.set_num_threads(self.threads)
        warnings.simplefilter("ignore", ConvergenceWarning)
        with threadpool_limits(self.threads):
            results = [self.measure(k) for k in self.components]
        record = {
            **head("gmm-speed", ["scikit-learn"]),
            "rows": self.rows,
            "features": self.features,
            "threads": self.threads,
            "steps": self.steps,
            "results": results,
        }
        if self.out is not None:
            write(self.out, record)

    def measure(self, components: int) -> dict[str, object]:
        """Seconds a step of all three, and scikit-learn's over ours."""
        x = data(self.rows, self.features, components)
        start = GaussianMixture(components, iterations=1).fit(
            x, generator=torch.Generator().manual_seed(0)
        )
        narrow = x.float()
        fits: dict[str, Callable[[int], object]] = {
            "scikit-learn float64": lambda n: reference(start, n).fit(x.numpy()),
            "float64": lambda n: ours(components, n).fit(x, start=start),
            "float32": lambda n: ours(components, n).fit(narrow, start=start),
        }
        seconds: dict[str, list[float]] = {name: [] for name in fits}
        for _ in range(self.rounds):
            for name, fit in fits.items():
                step = (timed(fit, 1 + self.steps) - timed(fit, 1)) / self.steps
                seconds[name].append(step)
        median = {name: statistics.median(values) for name, values in seconds.items()}
        base = median["scikit-learn float64"]
        ratios = {name: base / value for name, value in median.items()}
        for name, value in median.items():
            print(f"K={components:3} {name:22}{value:8.3f} s a step, {ratios[name]:5.2f} x")
        return {"components": components, "seconds": seconds, "median": median, "times": ratios}


def data(rows: int, features: int, components: int) -> torch.Tensor:
    """Overlapping correlated clusters, twice as many as there are components."""
    generator = torch.Generator().manual_seed(1)
    count = 2 * components
    options = {"generator": generator, "dtype": torch.float64}
    means = torch.randn(count, features, **options)  # type: ignore[call-overload]
    shapes = torch.randn(count, features, features, **options) / features**0.5  # type: ignore[call-overload]
    noise = torch.randn(rows, features, **options)  # type: ignore[call-overload]
    which = torch.randint(count, (rows,), generator=generator)
    x = torch.empty_like(noise)
    for k in range(count):
        x[which == k] = means[k] + noise[which == k] @ shapes[k]
    return x


def ours(components: int, iterations: int) -> GaussianMixture:
    """A mixture that does exactly so many steps."""
    return GaussianMixture(components, iterations=iterations, tolerance=0.0)


def reference(start: GaussianMixture, iterations: int) -> Reference:
    """scikit-learn's mixture from the same start."""
    return Reference(
        len(start.weights),
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=(start.whiteners.mT @ start.whiteners).numpy(),
        max_iter=iterations,
        tol=0.0,
    )


def timed(fit: Callable[[int], object], steps: int) -> float:
    """Seconds of one fit."""
    started = time.perf_counter()
    fit(steps)
    return time.perf_counter() - started


if __name__ == "__main__":
    tyro.cli(Speed).run()
