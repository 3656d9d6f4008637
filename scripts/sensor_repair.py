"""Returns of a frozen policy some of whose sensors fail, with and without repair.

    gail collect --policy POLICY --stochastic --episodes 30 --out sampled.npz
    gail data fit expert_data/ant-v5.npz sampled.npz --out first.zip
    gail collect --policy POLICY --drop-sensors 0.3 --repair first.zip --episodes 50 --out led.npz
    python scripts/sensor_repair.py --policy POLICY --also sampled.npz led.npz --out repair-ant.json

A fixed set of sensors fails after the first observation of each episode, another in each one; all
repairs are given the same sets and starts. Models are fitted to demonstrations here, or read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro

from gail import Demonstrations, evaluate
from gail.bench.record import head, write
from gail.cli.policies import load_policy
from gail.feature_model import FeatureModel
from gail.fitting import FitSettings, fit_model
from gail.playing import ROWS
from gail.repair import FillValues, LastValue, Repair, repair_with
from gail.sensors import FaultyPolicy, SensorFaults
from generative.files import require_writable


@dataclass(frozen=True)
class SensorRepair:
    """Fit, play, write the table."""

    policy: Path
    """Frozen; a saved policy."""
    env: str = "Ant-v5"
    """Task."""
    demonstrations: str | None = None
    """What models are fitted to; by default the shipped ones."""
    also: tuple[str, ...] = ()
    """Further episodes that models are fitted to: of the policy with sampled actions, or with
    sensors that fail (gail collect)."""
    models: tuple[Path, ...] = ()
    """Further models, of gail data fit (sequence VAEs or diffusions), named by their files."""
    sequence_epochs: int = 6
    """Of a sequence VAE that is fitted here; 0 fits none."""
    window: int = 16
    """Its steps."""
    shares: tuple[float, ...] = (0.1, 0.3, 0.5)
    """Of the sensors."""
    episodes: int = 25
    """Of each score."""
    threads: int = 1
    """Of PyTorch."""
    out: Path | None = None
    """Write the table to this file."""

    def run(self) -> None:
        """Everything, printed and written."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin, policy = head("sensor-repair"), load_policy(self.policy, self.env)[0]
        demos = (
            Demonstrations.shipped(self.env)
            if self.demonstrations is None
            else Demonstrations.load(self.demonstrations, env_id=self.env)
        )
        known = [demos, *(Demonstrations.load(file, env_id=self.env) for file in self.also)]
        fitted = {path.stem: FeatureModel.load(path) for path in self.models}
        fitted["mixture"] = fit_model(known)
        fitted["mixture of single steps"] = fit_model(known, FitSettings(window=1))
        if self.also:
            fitted["mixture of the demonstrations alone"] = fit_model(demos)
        if self.sequence_epochs:
            sequence = FitSettings(
                kind="seqvae", window=self.window, epochs=self.sequence_epochs, rows=30_000
            )
            fitted["sequence VAE"] = fit_model(known, sequence, tell)
        for model in fitted.values():
            model.check_for(self.env, "s", demos.observation_dim)
        whole = evaluate(policy, self.env, self.episodes).mean_return
        print(f"whole: {whole:.1f}", flush=True)
        table = self.table(policy, demos, fitted, whole)
        unset = ("out", "policy", "demonstrations", "models", "also")
        record = {
            **origin,
            "environment": self.env,
            "demonstrations": [{"name": each.name, "hash": each.hash} for each in known],
            "settings": {k: v for k, v in vars(self).items() if k not in unset},
            "whole": round(whole, 1),
            "results": table,
        }
        if self.out is not None:
            write(self.out, record)

    def table(
        self, policy: Any, demos: Demonstrations, fitted: dict[str, FeatureModel], whole: float
    ) -> list[dict[str, Any]]:
        """A row for each repair and share."""
        means = torch.tensor(demos.observations).mean(0)
        found = []
        for share in self.shares:
            repairs: dict[str, Repair] = {
                "none (sensors read 0)": FillValues(ROWS, torch.zeros_like(means)),
                "mean": FillValues(ROWS, means),
                "last value": LastValue(ROWS, means),
                **{name: repair_with(model, ROWS) for name, model in fitted.items()},
            }
            for name, repair in repairs.items():
                faulty = FaultyPolicy(policy, SensorFaults(len(means), share), repair)
                score = evaluate(faulty, self.env, self.episodes)
                row = {
                    "share": share,
                    "repair": name,
                    "mean_return": round(score.mean_return, 1),
                    "std_return": round(score.std_return, 1),
                    "kept": round(score.mean_return / whole, 4),
                    "falls": round(score.fall_rate, 4),
                }
                found.append(row)
                print(row, flush=True)
        return found


def tell(epoch: int, metrics: dict[str, float]) -> None:
    print(f"epoch {epoch}: {metrics}", flush=True)


if __name__ == "__main__":
    tyro.cli(SensorRepair).run()
