"""How well mixtures of more and more Gaussians explain demonstrations, and how fast they tell.

    python scripts/demonstration_density.py --out benchmarks/generative/ant-density.json

State and action of each step are one row. Constant dimensions are dropped and the rest whitened,
on the episodes fitted to; the log-density is that of episodes held out, in units of the data.
Speed is beside scikit-learn's kernel density on 4,000 rows of the same data.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from sklearn.neighbors import KernelDensity

from gail import Demonstrations
from gail.bench.record import head, write
from generative import Chain, DropConstant, GaussianMixture, Whiten


@dataclass(frozen=True)
class Density:
    """Fit, score, time."""

    env: str = "Ant-v5"
    """Task, for the demonstrations shipped with the project."""
    demonstrations: str | None = None
    """Demonstrations from elsewhere."""
    held_out: int = 4
    """Every so many episodes, one is held out."""
    components: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Numbers of Gaussians."""
    regularisation: float = 1e-3
    """Added to whitened variances."""
    threads: int = 2
    """Of PyTorch."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Fit each mixture, print a row, write all."""
        torch.set_num_threads(self.threads)
        demos = (
            Demonstrations.shipped(self.env)
            if self.demonstrations is None
            else Demonstrations.load(self.demonstrations, env_id=self.env)
        )
        fit_on, rest = split(demos, self.held_out)
        results = [self.one(k, fit_on, rest) for k in self.components]
        transform = Chain(DropConstant(), Whiten()).fit(fit_on)
        kernel = kernel_speed(transform(fit_on)[0].numpy())
        print(f"kernel density on 4,000 rows: {kernel:.0f} rows/s")
        record = {
            **head("demonstration-density", ["scikit-learn"]),
            "environment": self.env,
            "demonstrations": {"name": demos.name, "hash": demos.hash},
            "rows": len(fit_on),
            "held_out_rows": len(rest),
            "regularisation": self.regularisation,
            "threads": self.threads,
            "results": results,
            "kernel_rows_per_second": kernel,
        }
        if self.out is not None:
            write(self.out, record)

    def one(self, components: int, fit_on: torch.Tensor, rest: torch.Tensor) -> dict[str, float]:
        """Scores and speed of one mixture."""
        model = GaussianMixture(
            components,
            preprocessing=Chain(DropConstant(), Whiten()),
            regularisation=self.regularisation,
        ).fit(fit_on, generator=torch.Generator().manual_seed(0))
        result = {
            "components": components,
            "live_dimensions": model.width,
            "log_prob": float(model.log_prob(fit_on).double().mean()),
            "held_out_log_prob": float(model.log_prob(rest).double().mean()),
            "rows_per_second": rows_per_second(model.log_prob, fit_on),
        }
        print(", ".join(f"{name} {value:.6g}" for name, value in result.items()))
        return result


def split(demos: Demonstrations, every: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of state and action of the episodes fitted to, and of those held out.

    Raises:
        ValueError: if no episode would be left on one side.
    """
    if not 2 <= every <= demos.num_episodes:
        raise ValueError(
            f"--held-out is {every} and there are {demos.num_episodes} episodes; "
            "expected from 2 to the number of episodes."
        )
    rows = [
        torch.tensor(np.concatenate([each.observations[:-1], each.actions], 1)).float()
        for each in demos.episodes()
    ]
    held = [row for i, row in enumerate(rows) if i % every == every - 1]
    kept = [row for i, row in enumerate(rows) if i % every != every - 1]
    return torch.cat(kept), torch.cat(held)


def rows_per_second(score: Callable[[torch.Tensor], object], x: torch.Tensor) -> float:
    """Median of five passes over the data."""
    speeds = []
    with torch.no_grad():
        for _ in range(5):
            started = time.perf_counter()
            score(x)
            speeds.append(len(x) / (time.perf_counter() - started))
    return statistics.median(speeds)


def kernel_speed(x: np.ndarray) -> float:  # type: ignore[type-arg]
    """Rows a second of scikit-learn's kernel density, Gaussian kernel, on 4,000 rows."""
    x = x[np.random.default_rng(0).permutation(len(x))[:8000]]
    kernel = KernelDensity().fit(x[:4000])
    asked = x[-1000:]
    started = time.perf_counter()
    kernel.score_samples(asked)
    return len(asked) / (time.perf_counter() - started)


if __name__ == "__main__":
    tyro.cli(Density).run()
