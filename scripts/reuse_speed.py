"""How fast steps are scored and sensors filled in, beside the simulation.

    python scripts/reuse_speed.py --out benchmarks/reuse-speed-ant.json

On a quiet machine. Scoring is the mixture of the audit on observations and actions; repair is that
of 64 environments whose failed sensors stay the same through an episode, as a share of the time
that the native engine takes for a step of them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

import envs
from gail import Demonstrations
from gail.bench.record import head, write
from gail.crossfit import AuditSettings
from gail.feature_model import rows_of
from gail.features import Features
from gail.fitting import FitSettings, fit_model
from gail.impute import DropSensorsEngine
from gail.repair import repair_with
from gail.scoring import Scorer
from generative.files import require_writable


@dataclass(frozen=True)
class Speed:
    """Fit, time, write."""

    env: str = "Ant-v5"
    """Task, for the demonstrations shipped with the project."""
    num_envs: int = 64
    """Environments."""
    share: float = 0.3
    """Of the sensors, which fail."""
    steps: int = 200
    """Timed."""
    threads: int = 1
    """Of PyTorch and of the engine."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Everything, printed and written."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin, demos = head("reuse-speed"), Demonstrations.shipped(self.env)
        figures = self.scoring(demos) | self.repair(demos)
        for name, value in figures.items():
            print(f"{name}: {value}")
        settings = {k: v for k, v in vars(self).items() if k != "out"}
        if self.out is not None:
            write(self.out, {**origin, "environment": self.env, "settings": settings, **figures})

    def scoring(self, demos: Demonstrations) -> dict[str, float]:
        """Rows a second of the log-density alone, and of all that the audit computes."""
        settings = AuditSettings()
        rows = rows_of(demos, settings.inputs)
        scorer = Scorer.fit(Features(settings.inputs).fit(rows), rows, settings.scoring)
        x, every = scorer.features.scaled(torch.cat(rows)), torch.cat(rows)
        return {
            "components": scorer.model.components,
            "live_dimensions": x.shape[1],
            "scored_rows_per_second": len(x) / seconds(lambda: scorer.model.log_prob(x)),
            "judged_rows_per_second": len(x) / seconds(lambda: scorer.channels(every)),
        }

    def repair(self, demos: Demonstrations) -> dict[str, float]:
        """Milliseconds of a step of all environments, and of filling in its observations."""
        engine = envs.make(self.env, self.num_envs, device="cpu", threads=self.threads)
        faulty = DropSensorsEngine(engine, self.share)
        faulty.reset(0)
        action = torch.zeros(self.num_envs, *engine.action_space.shape)
        observations, simulation = [], 0.0
        for _ in range(self.steps):
            began = time.perf_counter()
            engine.step(action)
            simulation += time.perf_counter() - began
            observations.append(faulty.step(action).final_obs)
        fitted = fit_model(demos, FitSettings())
        repair = repair_with(fitted, self.num_envs)
        prepared = seconds(lambda: fresh(repair_with(fitted, self.num_envs), observations[1]), 3)
        repair.fill(observations[1])
        began = time.perf_counter()
        for obs in observations[1:]:
            repair.fill(obs)
        filling = (time.perf_counter() - began) / (self.steps - 1)
        engine.close()
        return {
            "simulation_ms": round(1e3 * simulation / self.steps, 4),
            "repair_ms": round(1e3 * filling, 4),
            "repair_share": round(filling / (simulation / self.steps), 4),
            "preparation_ms_per_episode": round(1e3 * prepared / self.num_envs, 4),
        }


def fresh(repair: object, obs: torch.Tensor) -> None:
    repair.fill(obs)  # type: ignore[attr-defined]


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Median of several."""
    found = []
    with torch.no_grad():
        for _ in range(times):
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
    return statistics.median(found)


if __name__ == "__main__":
    tyro.cli(Speed).run()
