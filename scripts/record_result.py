"""Keep a run's raw scores in the repository.

    python scripts/record_result.py runs/ant benchmarks/ant-v5-gail.json

Copies what a table needs from a run's folder: the resolved settings, every episode's return,
the learning curve, versions, commit and hardware. Paths are reduced to file names.
"""

from __future__ import annotations

import csv
import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

POINTS = 100  # of a learning curve


@dataclass(frozen=True)
class Record:
    """Turn a run's folder into one file of raw scores."""

    run_folder: Annotated[Path, tyro.conf.Positional]
    """The folder that `gail train` wrote."""
    out: Annotated[Path, tyro.conf.Positional]
    """The file to write."""

    def run(self) -> None:
        """Read config.json, evaluation.json and progress.csv; write one JSON file."""
        config = json.loads((self.run_folder / "config.json").read_text())
        scores = json.loads((self.run_folder / "evaluation.json").read_text())
        with (self.run_folder / "progress.csv").open() as file:
            rows = list(csv.DictReader(file))
        record = {
            "kind": "score",
            "method": config["flags"]["method"],
            "environment": scores["env"],
            "demonstrations": config["demonstrations"],
            "every": config["flags"]["every"],
            "steps": int(float(rows[-1]["time/total_timesteps"])) if rows else 0,
            "seed": config["flags"]["seed"],
            "command": command(config["command_line"]),
            **{key: scores[key] for key in SCORES},
            "mean_speed": scores.get("mean_speed"),  # runs of older versions lack it
            "evaluation_seed": scores["seed"],
            "seconds": float(rows[-1]["time/time_elapsed"]) if rows else 0.0,
            "curve": curve(rows),
            "settings": {k: config["flags"][k] for k in ("ppo", "discriminator", "cloning")},
            "expert_resets": config["flags"].get("expert_resets", 0.0),
            "versions": config["versions"],
            "commit": config["commit"],
            "hardware": config["hardware"],
        }
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.write_text(json.dumps(record, indent=1) + "\n")


SCORES = (
    "normalised_score",
    "mean_return",
    "std_return",
    "fall_rate",
    "episodes",
    "random_return",
    "expert_return",
    "forward_distance",
    "returns",
    "lengths",
    "falls",
    "deterministic",
)


def command(words: list[str]) -> str:
    """The command line as anyone would type it, without folders."""
    names = [Path(word).name if Path(word).is_absolute() else word for word in words[1:]]
    if "--out" in names:
        at = names.index("--out")
        del names[at : at + 2]
    return " ".join(["gail", *names])


def curve(rows: list[dict[str, str]]) -> list[list[float]]:
    """Steps and mean return of the stochastic policy's last 100 training episodes, thinned."""
    points = [
        [int(float(row["time/total_timesteps"])), round(float(row["rollout/ep_rew_mean"]), 1)]
        for row in rows
        if row.get("rollout/ep_rew_mean")
    ]
    stride = max(1, len(points) // POINTS)
    return points[::stride]


def commit() -> str:
    """The commit that is checked out, with a mark where files differ from it."""
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    return subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()


def hardware() -> dict[str, Any]:
    """What a speed depends on."""
    import envs.native

    return {"system": platform.platform(), "cpu_cores": envs.native.usable_cores()}


if __name__ == "__main__":
    tyro.cli(Record).run()
