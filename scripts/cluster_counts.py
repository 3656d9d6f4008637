"""How many clusters variational mixtures find where the truth is known, beside scikit-learn's.

    python scripts/cluster_counts.py --out benchmarks/generative/cluster-counts.json

Well-separated correlated Gaussians from a fixed seed; both start from more components than there
are clusters. A component of scikit-learn's counts as alive if it holds at least one row.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

from gail.bench.record import head, write
from generative import VariationalMixture

# dimensions, rows, true clusters, components to start from, distance between clusters
CASES = ((2, 2000, 8, 24, 12.0), (10, 2000, 8, 24, 4.0), (30, 3000, 8, 24, 3.0),
         (105, 25_000, 16, 32, 3.0), (105, 25_000, 16, 32, 1.0))  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """Fit both and count."""

    seeds: int = 8
    """Data sets of each kind in up to 30 dimensions; one in 105."""
    largest: int = 105
    """Leave out cases of more dimensions."""
    reference: bool = True
    """Also fit scikit-learn's."""
    out: Path | None = None
    """Write the raw figures to this file."""

    def run(self) -> None:
        """Fit, print, write."""
        warnings.simplefilter("ignore", ConvergenceWarning)
        results = []
        for d, n, true, start, spread in CASES:
            for seed in range(self.seeds if d <= 30 else 1):
                if d > self.largest:
                    continue
                found = self.one(clusters(n, d, true, spread, seed), start, seed)
                results.append({"d": d, "rows": n, "true": true, "start": start,
                                "spread": spread, "seed": seed, **found})  # fmt: skip
                print(results[-1])
        record = {
            **head("cluster-counts", ["scikit-learn"]),
            "results": results,
        }
        if self.out is not None:
            write(self.out, record)

    def one(self, x: torch.Tensor, start: int, seed: int) -> dict[str, float]:
        """Components alive and seconds of both on one data set."""
        began = time.perf_counter()
        ours = VariationalMixture(start).fit(x, generator=torch.Generator().manual_seed(seed))
        found = {"alive": ours.alive, "seconds": time.perf_counter() - began}
        if self.reference:
            began = time.perf_counter()
            theirs = BayesianGaussianMixture(n_components=start, max_iter=200, random_state=seed)
            held = theirs.fit(x.numpy()).predict_proba(x.numpy()).sum(0)
            found["scikit-learn alive"] = int((held >= 1).sum())
            found["scikit-learn seconds"] = time.perf_counter() - began
        return found


def clusters(rows: int, d: int, k: int, spread: float, seed: int) -> torch.Tensor:
    """Rows (rows, d) of k correlated Gaussians around normally distributed means, float32."""
    g = torch.Generator().manual_seed(seed)
    means = spread * torch.randn(k, d, generator=g)
    shapes = torch.eye(d) / 2 + torch.randn(k, d, d, generator=g) / (2 * d**0.5)
    which = torch.randint(k, (rows,), generator=g)
    noise = torch.randn(rows, d, generator=g)
    x = torch.empty(rows, d)
    for cluster in range(k):
        here = which == cluster
        x[here] = means[cluster] + noise[here] @ shapes[cluster]
    return x


if __name__ == "__main__":
    tyro.cli(Counts).run()
