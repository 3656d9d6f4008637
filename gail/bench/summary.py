"""From scores of single runs to rows of tables: one condition over its seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gail.bench.score import Score
from gail.bench.statistics import bootstrap_interval, iqm, mean, steps_to
from gail.bench.suite import METHODS

UNKNOWN = "–"
ORDER = list(METHODS)


@dataclass(frozen=True)
class Condition:
    """The runs that differ in their seeds only, and what a table says of them.

    Args:
        scores: one a seed, at least one.
    """

    scores: tuple[Score, ...]

    @property
    def environment(self) -> str:
        """Gymnasium id."""
        return self.scores[0].environment

    @property
    def title(self) -> str:
        """The method, in words."""
        return METHODS[self.scores[0].method].title  # type: ignore[index]

    @property
    def method(self) -> str:
        """Its short name."""
        return self.scores[0].method

    @property
    def stepless(self) -> bool:
        """Whether the method takes no environment steps."""
        return not any(score.steps for score in self.scores)

    @property
    def hash(self) -> str:
        """Of what was imitated."""
        return str((self.scores[0].demonstrations or {}).get("hash", ""))

    @property
    def label(self) -> str:
        """Method and number of episodes, for charts."""
        known, every = self.scores[0].demonstrations, self.scores[0].every
        if known is None:
            return self.title
        plural = "" if known["episodes"] == 1 else "s"
        thinned = "" if every == 1 else f", every {every}th step"
        return f"{self.title}, {known['episodes']} episode{plural}{thinned}"

    @property
    def expert(self) -> str:
        """Name, hash, size and return of what was imitated."""
        known, every = self.scores[0].demonstrations, self.scores[0].every
        if known is None:
            return "none"
        count = "1 episode" if known["episodes"] == 1 else f"{known['episodes']} episodes"
        thinned = "" if every == 1 else f", every {every}th step"
        value = known["mean_return"]
        told = "" if value is None else f", return {value:.0f}"
        return f"{known['name']} ({known['hash'][:8]}): {count}{thinned}{told}"

    @property
    def steps(self) -> str:
        """Environment steps, the most of any seed."""
        return f"{max(score.steps for score in self.scores):,}"

    @cached_property
    def sound(self) -> list[Score]:
        """Those that did not diverge."""
        return [score for score in self.scores if score.returns]

    @property
    def count(self) -> str:
        """How many runs, and how many of them diverged."""
        diverged = len(self.scores) - len(self.sound)
        return f"{len(self.scores)}" + (f", {diverged} diverged" if diverged else "")

    @cached_property
    def returns(self) -> list[float]:
        """Of all episodes of all seeds."""
        return [value for score in self.sound for value in score.returns]

    @cached_property
    def shares(self) -> list[list[float]]:
        """Every episode on the normalised scale, (seeds, episodes); none where it is unknown."""
        found = [[score.normalised(value) for value in score.returns] for score in self.sound]
        return [[v for v in run if v is not None] for run in found if None not in run]

    @property
    def score(self) -> float | None:
        """Mean normalised score."""
        return mean(np.concatenate(self.shares)) if self.shares else None

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Of the mean normalised score, 95%."""
        return self._interval(mean)

    @cached_property
    def middle(self) -> tuple[float, float, float] | None:
        """Interquartile mean of the normalised score, and its interval."""
        found = self._interval(iqm)
        return None if found is None else (iqm(np.concatenate(self.shares)), *found)

    def _interval(self, statistic: Any) -> tuple[float, float] | None:
        if not self.shares:
            return None
        return bootstrap_interval([self.shares], statistic, np.random.default_rng(0))

    @property
    def returned(self) -> str:
        """Mean and standard deviation of the return over episodes."""
        if not self.returns:
            return "diverged"
        return f"{np.mean(self.returns):.0f} ± {np.std(self.returns):.0f}"

    @property
    def normalised(self) -> str:
        """Mean normalised score with its interval."""
        if self.score is None or self.interval is None:
            return "diverged" if not self.sound else UNKNOWN
        return f"{self.score:.3f} [{self.interval[0]:.3f}, {self.interval[1]:.3f}]"

    @property
    def iqm(self) -> str:
        """Interquartile mean with its interval."""
        if self.middle is None:
            return UNKNOWN
        return "{:.3f} [{:.3f}, {:.3f}]".format(*self.middle)

    @property
    def falls(self) -> str:
        """Share of episodes that terminated early."""
        fallen = [fall for score in self.sound for fall in score.falls]
        return f"{100 * np.mean(fallen):.0f}%" if fallen else UNKNOWN

    @property
    def distance(self) -> str:
        """Mean metres forward, and metres a second where they are known."""
        metres = [s.forward_distance for s in self.sound if s.forward_distance is not None]
        speeds = [s.mean_speed for s in self.sound if s.mean_speed is not None]
        told = f" ({np.mean(speeds):.2f} m/s)" if speeds else ""
        return f"{np.mean(metres):.0f} m{told}" if metres else UNKNOWN

    @property
    def time(self) -> str:
        """Mean wall time of training."""
        return duration(float(np.mean([score.seconds for score in self.scores])))

    @property
    def speed(self) -> str:
        """Median steps a second."""
        found = [s.steps_per_second for s in self.scores if s.steps_per_second is not None]
        return f"{np.median(found):.0f}" if found else UNKNOWN

    def reached(self, share: float) -> str:
        """Steps until the deterministic policy has a normalised score, the mean over seeds."""
        if not self.shares or not any(score.scores for score in self.sound):
            return UNKNOWN
        found = [steps_to(points(each, deterministic=True), each.at(share)) for each in self.sound]
        known = [step for step in found if step is not None]
        if not known:
            return "never"
        missed = f", {len(found) - len(known)} never" if len(known) < len(found) else ""
        return f"{np.mean(known) / 1e6:.2f}M{missed}"


def points(score: Score, *, deterministic: bool) -> list[tuple[int, float]]:
    """Steps and returns of a run's curve.

    Args:
        score: the run.
        deterministic: of the deterministic policy, with its final score; else of the acting one.
    """
    if not deterministic:
        return score.curve
    last = [] if score.mean_return is None else [(score.steps, score.mean_return)]
    return [*score.scores, *last]


def conditions(scores: Iterable[Score]) -> list[Condition]:
    """Group scores, by environment, then what was imitated, then method; rewards come last."""
    groups: dict[str, list[Score]] = {}
    for score in sorted(scores, key=_order):
        groups.setdefault(_key(score), []).append(score)
    return [Condition(tuple(group)) for group in groups.values()]


def _order(score: Score) -> tuple[Any, ...]:
    known = score.demonstrations or {}
    what = (not known, known.get("name", ""), -known.get("episodes", 0), known.get("hash", ""))
    how = (score.every, ORDER.index(score.method), score.asked_steps, score.seed)  # type: ignore[arg-type]
    return (score.environment, *what, *how)


def _key(score: Score) -> str:
    """What the seeds of a condition have in common."""
    learned_from = (score.demonstrations or {}).get("hash")
    fields = [score.environment, score.method, learned_from, score.every, score.asked_steps]
    return json.dumps([*fields, score.expert_return, _set(score.settings)], sort_keys=True)


def _set(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings but those that are None: off, as in versions that did not have them."""
    return {
        name: _set(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if value is not None
    }


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(5.2), duration(750), duration(7500)
    ('5 s', '12.5 min', '2 h 05 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:02.0f} min"
