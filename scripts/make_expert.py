"""Train an expert on a task's own reward and record its demonstrations.

    python scripts/make_expert.py --out runs/expert

The commands of ``gail`` in one, the same for anyone: train ``TorchPPO`` from scratch, in two
stages, score it over 50 deterministic episodes, record whole episodes, and give weights and
demonstrations the names that ``expert_data/`` has. The first stage makes it fast. The second starts
from it with more noise and a discount nearer 1, under which a fall costs five times as much, and
makes it safe. Begun again with the same folder, it goes on where it stopped. The folder gets
``run/``, ``settled/`` and, if the expert is good enough, ``<task>.npz`` and ``<task>-expert.zip``.
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

SETTLING = (
    *("--ppo.gamma", 0.998, "--ppo.log-std-init", -1.0),
    *("--ppo.kl-target", 0.02, "--ppo.critic-rollouts", 20),
)


@dataclass(frozen=True)
class Expert:
    """Train, score and record an expert."""

    out: Path
    """The folder for everything."""
    env: str = "Ant-v5"
    """Gymnasium id of the task."""
    steps: int = 10_000_000
    """Environment steps of training."""
    settle: int = 3_000_000
    """Environment steps of the second stage; 0 leaves it out."""
    seed: int = 0
    """Of weights, noise and environments."""
    episodes: int = 30
    """Episodes recorded; those that end in a fall are left out."""
    least: float = 4700.0
    """Mean return over 50 episodes that an expert must reach."""
    falls: float = 0.0
    """Share of those episodes that may end in a fall."""

    @property
    def last(self) -> Path:
        """The folder of the last stage."""
        return self.out / ("settled" if self.settle else "run")

    def make(self) -> None:
        """Train, then score, then record.

        Raises:
            SystemExit: a step failed, or the expert is not good enough.
        """
        first = ("--method", "ppo", "--env", self.env, "--seed", self.seed)
        self._train(self.out / "run", self.steps, first)
        if self.settle:
            second = (*first, "--start-from", self.out / "run", *SETTLING)
            self._train(self.last, self.settle, second)
        score = json.loads((self.last / "evaluation.json").read_text())
        told = f"return {score['mean_return']:.0f}, {score['fall_rate']:.0%} falls"
        if score["mean_return"] < self.least or score["fall_rate"] > self.falls:
            raise SystemExit(
                f"{told}: not an expert, which needs {self.least:.0f} and at most "
                f"{self.falls:.0%}; go on with more --steps, or try another --seed."
            )
        name = self.env.lower().replace("/", "-")
        recorded = self.out / f"{name}.npz"
        what = ("--episodes", self.episodes, "--whole", "--overwrite")
        _gail("collect", "--policy", self.last, *what, "--out", recorded)
        shutil.copy(self.last / POLICY_FILE, self.out / f"{name}-expert.zip")
        print(f"{told}\n{Demonstrations.load(recorded)}")

    def _train(self, folder: Path, steps: int, words: tuple[object, ...]) -> None:
        """One stage, or the rest of it."""
        if (folder / "config.json").is_file():
            _gail("train", "--resume", folder, "--steps", steps)
            return
        _gail("train", *words, "--steps", steps, "--out", folder)


def _gail(*words: object) -> None:
    """One command of the command line; a failure ends the script with its code."""
    code = main([str(word) for word in words])
    if code:
        sys.exit(code)


if __name__ == "__main__":
    tyro.cli(Expert).make()
