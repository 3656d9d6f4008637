"""What bad episodes among demonstrations cost, and what the audit gives back.

    gail train --method ppo --steps 500000 --cloning.steps 0 --out runs/half
    python scripts/audit_cleaning.py --half-trained runs/half --gail-steps 1500000 \
        --out benchmarks/reuse/cleaning-ant.json

A share of the demonstrations is replaced by episodes of a random and of a half-trained policy. The
audit flags some; cloning and GAIL learn from the good file, the dirty one and the cleaned one.
Standard errors are over seeds of cloning, and over episodes of GAIL's one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from gail import GAIL, Demonstrations, evaluate, preset
from gail.audit import audit
from gail.bench.record import head, write
from gail.cli.policies import load_policy
from gail.episodes import Episode
from gail.evaluation import Evaluation
from gail.playing import RandomPolicy, make, play
from generative.files import require_writable

Score = dict[str, float]  # mean and standard error
LEAST = 0.05  # of the good file's score; a smaller loss is none


@dataclass(frozen=True)
class Cleaning:
    """Spoil, audit, learn, score, write the figures."""

    half_trained: Path | None = None
    """A policy that has learned half of the task; without it only random episodes are tried."""
    env: str = "Ant-v5"
    """Task."""
    demonstrations: str | None = None
    """Good demonstrations; by default the shipped ones."""
    share: float = 0.2
    """Of the episodes, which are replaced."""
    seeds: int = 3
    """Of cloning."""
    cloning_steps: int = 20_000
    """Minibatches of cloning."""
    gail_steps: int = 0
    """Environment steps of GAIL, one seed; 0 leaves it out."""
    episodes: int = 50
    """Of each score."""
    threads: int = 1
    """Of PyTorch."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Each kind of bad episode, printed and written."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin = head("audit-cleaning")
        demos = (
            Demonstrations.shipped(self.env)
            if self.demonstrations is None
            else Demonstrations.load(self.demonstrations, env_id=self.env)
        )
        good = list(demos.episodes())
        box: Any = make(self.env).action_space
        policies: dict[str, Any] = {"random": RandomPolicy(box, 0)}
        if self.half_trained is not None:
            policies["half-trained"] = load_policy(self.half_trained, self.env)[0]
        clean = self.learned(good)
        results = {name: self.one(good, policy, clean) for name, policy in policies.items()}
        unset = ("out", "demonstrations", "half_trained")
        record = {
            **origin,
            "environment": self.env,
            "demonstrations": {"name": demos.name, "hash": demos.hash},
            "settings": {k: v for k, v in vars(self).items() if k not in unset},
            "clean": clean,
            "results": results,
        }
        if self.out is not None:
            write(self.out, record)

    def one(self, good: list[Episode], policy: Any, clean: dict[str, Score]) -> dict[str, Any]:
        """One kind of bad episode."""
        count = round(self.share * len(good))
        places = set(np.random.default_rng(0).permutation(len(good))[:count].tolist())
        bad = iter([each.episode for each in play(policy, self.env, count, 5000)])
        dirty = [next(bad) if i in places else each for i, each in enumerate(good)]
        found = audit(dirty, env_id=self.env)
        flagged = set(range(len(dirty))) - set(found.kept)
        before = {i for i, each in enumerate(audit(good, env_id=self.env).verdicts) if each.faults}
        usual = set(range(len(dirty))) - places - before
        figures: dict[str, Any] = {
            "replaced": count,
            "found": round(len(flagged & places) / count, 4),
            "false_alarms": round(len(flagged & usual) / max(1, len(usual)), 4),
            "flagged_in_the_good_file": sorted(before),
            "dirty": self.learned(dirty),
            "cleaned": self.learned([dirty[i] for i in found.kept]),
        }
        figures["regained"] = {
            method: regained(clean[method], figures["dirty"][method], figures["cleaned"][method])
            for method in clean
        }
        print(figures, flush=True)
        return figures

    def learned(self, episodes: list[Episode]) -> dict[str, Score]:
        """How well policies do that are learned from episodes, by method."""
        demos = Demonstrations.from_episodes(episodes, env_id=self.env)
        settings = preset(self.env)
        alone = replace(settings, cloning=replace(settings.cloning, steps=self.cloning_steps))
        clones = [self.score(demos, alone, seed, 0).mean_return for seed in range(self.seeds)]
        found = {"cloning": score_of(clones)}
        if self.gail_steps:
            found["gail"] = score_of(self.score(demos, settings, 0, self.gail_steps).returns)
        print(found, flush=True)
        return found

    def score(self, demos: Demonstrations, settings: Any, seed: int, steps: int) -> Evaluation:
        """Of one learner."""
        model = GAIL("MlpPolicy", self.env, demos, settings, seed=seed, device="cpu")
        model.learn(steps)
        return evaluate(model, self.env, self.episodes)


def score_of(returns: Sequence[float]) -> Score:
    """Mean and standard error."""
    error = np.std(returns, ddof=1) / len(returns) ** 0.5 if len(returns) > 1 else 0.0
    return {"mean": round(float(np.mean(returns)), 1), "error": round(float(error), 1)}


def regained(clean: Score, dirty: Score, cleaned: Score) -> float | None:
    """The share of the lost return that cleaning gives back.

    None where less than one part in twenty was lost, which seeds alone can do.
    """
    lost = clean["mean"] - dirty["mean"]
    if lost < LEAST * clean["mean"]:
        return None
    return round((cleaned["mean"] - dirty["mean"]) / lost, 4)


if __name__ == "__main__":
    tyro.cli(Cleaning).run()
