"""How well the distance to the demonstrations tells of the true return over a run.

    gail train --policy-distance --score-every 50000 --checkpoint-seconds 0 --out runs/watched
    python scripts/policy_distance.py runs/watched --out benchmarks/policy-distance-ant.json

The run's ``policy_distance.csv`` is set beside its ``scores.csv`` (true returns of the
deterministic policy), and ``nearest.zip`` is scored beside the best of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from gail import evaluate, load
from gail.bench.record import command, head, write
from gail.errors import GailError
from gail.policy_distance import DistanceSettings, read_distances
from gail.runs import RunFolder
from gail.scorekeeper import read_scores
from generative.files import require_writable


@dataclass(frozen=True)
class Rank:
    """Compare, score, write the figures."""

    run: tyro.conf.Positional[Path]
    """The folder of a run with --policy-distance and --score-every."""
    episodes: int = 50
    """Of the nearest policy's score."""
    threads: int = 1
    """Of PyTorch."""
    out: Path | None = None
    """Write the figures to this file."""

    def main(self) -> None:
        """Everything, printed and written."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin, config = head("policy-distance"), RunFolder.open(self.run).config()
        steps, distance = smoothed(read_distances(self.run / "policy_distance.csv"))
        scores = read_scores(self.run / "scores.csv")
        if len(steps) < 2 or len(scores) < 3:
            raise GailError(f"{self.run} was not run with --policy-distance and --score-every.")
        at = [int(np.abs(steps - step).argmin()) for step, _, _ in scores]
        returns = np.array([value for _, value, _ in scores])
        env_id = config["flags"]["env"]
        chosen = evaluate(load(self.run / "nearest.zip", "cpu"), env_id, self.episodes)
        figures = {
            "rank_correlation": round(-spearman(distance[at], returns), 4),
            "nearest_step": int(steps[distance.argmin()]),
            "nearest_return": round(chosen.mean_return, 1),
            "best_return": round(float(returns.max()), 1),
            "last_return": round(float(returns[-1]), 1),
            "share_of_the_best": round(chosen.mean_return / float(returns.max()), 4),
            "curve": [
                [step, value, round(float(distance[i]), 5)]
                for (step, value, _), i in zip(scores, at, strict=True)
            ],
        }
        for name, value in figures.items():
            print(f"{name}: {value}")
        flags = ("env", "method", "seed", "steps")
        run = {name: config["flags"][name] for name in flags}
        run["trained"] = dict(command=command(config["command_line"]), commit=config["commit"])
        data = {"demonstrations": config["demonstrations"]}
        if self.out is not None:
            write(self.out, {**origin, **run, **data, **figures})


def smoothed(rows: list[tuple[int, float]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps, and the running mean that the nearest policy is chosen by."""
    share, mean, values = DistanceSettings().smoothing, None, []
    for _, distance in rows:
        mean = distance if mean is None else share * mean + (1 - share) * distance
        values.append(mean)
    return np.array([step for step, _ in rows]), np.array(values)


def spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Correlation of ranks; equal values share the mean of theirs."""
    ranks = [np.array([(v < z).sum() + ((v == z).sum() - 1) / 2 for z in v]) for v in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    tyro.cli(Rank).main()
