"""Train an expert on a task's own reward and record its demonstrations.

    python scripts/make_expert.py --out runs/expert

The commands of ``gail`` in one, the same for anyone: train ``TorchPPO`` from scratch, score it over
50 deterministic episodes, record whole episodes, and give weights and demonstrations the names that
``expert_data/`` has. Begun again with the same folder, it goes on where it stopped. The folder gets
``run/`` and, if the expert is good enough, ``<task>.npz`` and ``<task>-expert.zip``.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from gail import Demonstrations
from gail.cli import main
from gail.cli.policies import POLICY_FILE


@dataclass(frozen=True)
class Expert:
    """Train, score and record an expert."""

    out: Path
    """The folder for everything."""
    env: str = "Ant-v5"
    """Gymnasium id of the task."""
    steps: int = 10_000_000
    """Environment steps of training."""
    seed: int = 0
    """Of weights, noise and environments."""
    episodes: int = 30
    """Episodes recorded; those that end in a fall are left out."""
    least: float = 4700.0
    """Mean return over 50 episodes that an expert must reach."""
    falls: float = 0.0
    """Share of those episodes that may end in a fall."""

    @property
    def run_folder(self) -> Path:
        """The run's own folder."""
        return self.out / "run"

    def make(self) -> None:
        """Train, then score, then record.

        Raises:
            SystemExit: a step failed, or the expert is not good enough.
        """
        self._train()
        score = json.loads((self.run_folder / "evaluation.json").read_text())
        told = f"return {score['mean_return']:.0f}, {score['fall_rate']:.0%} falls"
        if score["mean_return"] < self.least or score["fall_rate"] > self.falls:
            raise SystemExit(
                f"{told}: not an expert, which needs {self.least:.0f} and at most "
                f"{self.falls:.0%}; go on with more --steps, or try another --seed."
            )
        name = self.env.lower().replace("/", "-")
        recorded = self.out / f"{name}.npz"
        what = ("--episodes", self.episodes, "--whole", "--overwrite")
        _gail("collect", "--policy", self.run_folder, *what, "--out", recorded)
        shutil.copy(self.run_folder / POLICY_FILE, self.out / f"{name}-expert.zip")
        print(f"{told}\n{Demonstrations.load(recorded)}")

    def _train(self) -> None:
        if (self.run_folder / "config.json").is_file():
            _gail("train", "--resume", self.run_folder, "--steps", self.steps)
            return
        words = ("--method", "ppo", "--env", self.env, "--steps", self.steps, "--seed", self.seed)
        _gail("train", *words, "--out", self.run_folder)


def _gail(*words: object) -> None:
    """One command of the command line; a failure ends the script with its code."""
    code = main([str(word) for word in words])
    if code:
        sys.exit(code)


if __name__ == "__main__":
    tyro.cli(Expert).make()
