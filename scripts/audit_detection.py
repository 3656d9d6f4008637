"""How well the audit tells bad episodes from demonstrations, and how often it is wrong.

    python scripts/audit_detection.py --policy runs/ant --out benchmarks/audit-detection-ant.json

A policy plays demonstrations; those below half their median return (stuck, fallen) are left out,
because they are bad episodes themselves. In each of some random splits a part of them is the
reference and the rest held out; bad episodes of each kind are scored with the held-out ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from gail import Demonstrations
from gail.audit import Verdict, audit
from gail.bench.record import head, write
from gail.cli.policies import load_policy
from gail.episodes import Episode
from gail.playing import Policy, RandomPolicy, make, play
from generative.files import require_writable


@dataclass(frozen=True)
class Detection:
    """Play, split, audit, write the figures."""

    policy: Path
    """Whose episodes are the demonstrations; a saved policy."""
    env: str = "Ant-v5"
    """Task."""
    other: str | None = None
    """Demonstrations of another gait; by default the shipped ones."""
    episodes: int = 80
    """Demonstrations played."""
    bad: int = 25
    """Episodes of each bad kind."""
    reference: int = 24
    """Demonstrations that others are compared with."""
    splits: int = 5
    """Random choices of them."""
    rates: tuple[float, ...] = (0.05, 0.1, 0.2)
    """False-alarm rates asked for."""
    seed: int = 0
    """Of splits, noise and faults."""
    threads: int = 1
    """Of PyTorch."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Everything, printed and written."""
        torch.set_num_threads(self.threads)
        if self.out is not None:
            require_writable(self.out)
        origin = head("audit-detection")
        policy = load_policy(self.policy, self.env)[0]
        played = self.play(policy, self.episodes, 1000)
        totals = np.array([float(np.sum(each.rewards)) for each in played])
        good = [e for e, r in zip(played, totals, strict=True) if r > np.median(totals) / 2]
        bad = self.bad_episodes(policy)
        splits = [self.split(good, bad, i) for i in range(self.splits)]
        kinds = splits[0]["auroc"]
        figures = {
            "auroc": {k: mean([each["auroc"][k] for each in splits]) for k in kinds},
            "worst_auroc": {k: min(each["auroc"][k] for each in splits) for k in kinds},
            "found": {k: mean([each["found"][k] for each in splits]) for k in kinds},
            "false_alarms": {
                f"{rate:g}": mean([each["false_alarms"][f"{rate:g}"] for each in splits])
                for rate in self.rates
            },
        }
        for name, value in figures.items():
            print(f"{name}: {value}", flush=True)
        unset = ("out", "policy", "other")
        settings = {k: v for k, v in vars(self).items() if k not in unset}
        record = {**origin, "environment": self.env, "settings": settings, "good": len(good)}
        if self.out is not None:
            write(self.out, record | figures | {"splits": splits})

    def play(self, policy: Policy, episodes: int, seed: int) -> list[Episode]:
        """Deterministic episodes."""
        return [each.episode for each in play(policy, self.env, episodes, seed)]

    def bad_episodes(self, policy: Policy) -> dict[str, list[Episode]]:
        """Those that do not depend on the split."""
        box: Any = make(self.env).action_space
        noisy = Noisy(policy, 0.1 * (box.high - box.low), self.seed)
        other = (
            Demonstrations.shipped(self.env)
            if self.other is None
            else Demonstrations.load(self.other, env_id=self.env)
        )
        return {
            "random": self.play(RandomPolicy(box, self.seed), self.bad, 5000),
            "noisy actions": self.play(noisy, self.bad, 6000),
            "another gait": list(other.episodes())[: self.bad],
        }

    def split(self, good: list[Episode], bad: dict[str, list[Episode]], i: int) -> dict[str, Any]:
        """Areas under the curve, and shares that are flagged."""
        random = np.random.default_rng([self.seed, i])
        order = random.permutation(len(good))
        known = [good[j] for j in order[: self.reference]]
        fresh = [good[j] for j in order[self.reference :]]
        kinds = bad | {
            name: [fault(fresh[j % len(fresh)], name, random) for j in range(self.bad)]
            for name in ("a sensor reads 0", "a sensor stands still", "a sensor is noisy")
        }
        everything = [*fresh, *(each for some in kinds.values() for each in some)]
        found = iter(audit(everything, reference=known, env_id=self.env).verdicts)
        usual = [next(found) for _ in fresh]
        judged = {name: [next(found) for _ in some] for name, some in kinds.items()}
        rates = {f"{rate:g}": flagged(usual, rate) for rate in self.rates}
        print(f"split {i}: false alarms {rates}", flush=True)
        return {
            "auroc": {k: auroc(strangeness(v), strangeness(usual)) for k, v in judged.items()},
            "found": {k: flagged(v, self.rates[0]) for k, v in judged.items()},
            "false_alarms": rates,
        }


class Noisy:
    """A policy with Gaussian noise on its actions."""

    def __init__(self, policy: Policy, std: Any, seed: int) -> None:
        self.policy, self.std, self.random = policy, std, np.random.default_rng(seed)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Its mean action and noise."""
        action, state = self.policy.predict(observation, deterministic=True)
        noise = self.std * self.random.normal(size=action.shape)
        return (action + noise).astype(np.float32), state


def fault(episode: Episode, kind: str, random: np.random.Generator) -> Episode:
    """One sensor that moves is broken, from the first third on."""
    observations = np.array(episode.observations)
    moving = np.flatnonzero(observations.std(0) > 0.05)
    sensor, start = random.choice(moving), len(observations) // 3
    column = observations[start:, sensor]
    if kind == "a sensor reads 0":
        column[:] = 0
    elif kind == "a sensor stands still":
        column[:] = column[0]
    else:
        column += 0.5 * column.std() * random.normal(size=len(column))
    return episode._replace(observations=observations)


def strangeness(verdicts: Sequence[Verdict]) -> list[float]:
    """Scores, infinite where a fact is against an episode."""
    return [
        float("inf") if set(each.faults) - {"grossly unusual"} else each.score for each in verdicts
    ]


def flagged(verdicts: Sequence[Verdict], rate: float) -> float:
    """Share of the episodes that are flagged at a false-alarm rate."""
    found = [bool(each.faults) or each.p_value <= rate + 1e-9 for each in verdicts]
    return round(float(np.mean(found)), 4)


def auroc(bad: list[float], good: list[float]) -> float:
    """Probability that a bad score is above a good one."""
    high, low = np.array(bad)[:, None], np.array(good)[None]
    return round(float((high > low).mean() + 0.5 * (high == low).mean()), 4)


def mean(values: list[float]) -> float:
    return round(float(np.mean(values)), 4)


if __name__ == "__main__":
    tyro.cli(Detection).run()
