"""The score of one run, as raw scores hold it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from gail.bench.record import SCHEMA, read
from gail.errors import GailError


@dataclass(frozen=True)
class Score:
    """One run and every episode of its score.

    >>> score = Score("gail", "Ant-v5", returns=[9.0, 11.0], random_return=0.0, expert_return=20.0)
    >>> score.mean_return, score.normalised_score
    (10.0, 0.5)
    """

    method: str
    """One of :data:`gail.bench.suite.METHODS`."""
    environment: str
    """Gymnasium id."""
    run: str = ""
    """The run's name in its suite."""
    demonstrations: dict[str, Any] | None = None
    """What it learned from: name, hash, episodes, transitions, mean_return; None for rewards."""
    reference: dict[str, Any] | None = None
    """Likewise, whose mean return is 1 on the normalised scale."""
    every: int = 1
    """Only every k-th step of the demonstrations was kept."""
    asked_steps: int = 0
    """Environment steps that it was to make."""
    steps: int = 0
    """Environment steps that it made, whole iterations."""
    seed: int = 0
    """Of training."""
    diverged: str | None = None
    """Why it has no score: the sentence that training ended with."""
    returns: list[float] = field(default_factory=list)
    """Sum of rewards of each episode."""
    lengths: list[int] = field(default_factory=list)
    """Steps of each episode."""
    falls: list[bool] = field(default_factory=list)
    """Whether each episode terminated before the time limit."""
    random_return: float | None = None
    """Mean return of uniformly random actions, 0 on the normalised scale."""
    expert_return: float | None = None
    """Mean return of the demonstrations, 1 on the normalised scale."""
    forward_distance: float | None = None
    """Mean metres forward of an episode, where the task tells its position."""
    mean_speed: float | None = None
    """Mean metres a second forward, likewise."""
    evaluation_seed: int = 10_000
    """Reset seed of the first episode."""
    deterministic: bool = True
    """Whether the policy's mean actions were played."""
    seconds: float = 0.0
    """Wall time of training, without scoring."""
    curve: list[tuple[int, float]] = field(default_factory=list)
    """Steps and mean return of the acting policy's last 100 training episodes."""
    scores: list[tuple[int, float]] = field(default_factory=list)
    """Steps and mean return of the deterministic policy on the way."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The learner's."""
    command: str = ""
    """What makes the run again."""
    commit: str | None = None
    """This project's, with + where files were changed; None if it was installed."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of Python and of packages."""
    hardware: dict[str, Any] = field(default_factory=dict)
    """What a wall time depends on."""

    @property
    def mean_return(self) -> float | None:
        """Mean over episodes, None where there are none."""
        return float(np.mean(self.returns)) if self.returns else None

    @property
    def std_return(self) -> float | None:
        """Standard deviation over episodes."""
        return float(np.std(self.returns)) if self.returns else None

    @property
    def fall_rate(self) -> float | None:
        """Share of episodes that terminated before the time limit."""
        return float(np.mean(self.falls)) if self.falls else None

    @property
    def normalised_score(self) -> float | None:
        """0 for random actions, 1 for the expert; None where one of the three is unknown."""
        return None if self.mean_return is None else self.normalised(self.mean_return)

    @property
    def steps_per_second(self) -> float | None:
        """Environment steps a second of training."""
        return self.steps / self.seconds if self.seconds > 0 and self.steps else None

    def normalised(self, value: float) -> float | None:
        """A return on the scale from random to expert."""
        from gail.evaluation import normalised_score

        if self.random_return is None:
            return None
        return normalised_score(value, self.random_return, self.expert_return)

    def at(self, share: float) -> float:
        """The return that has a normalised score; not a number where the scale is unknown."""
        if self.random_return is None or self.expert_return is None:
            return float("nan")
        return self.random_return + share * (self.expert_return - self.random_return)

    def to_json(self) -> dict[str, Any]:
        """As a record: the head, the summary, then every field."""
        return {
            "schema": SCHEMA,
            "kind": "score",
            **{name: getattr(self, name) for name in SUMMARY},
            "episodes": len(self.returns),
            **{each.name: getattr(self, each.name) for each in fields(self)},
        }

    @classmethod
    def from_json(cls, record: dict[str, Any], where: str) -> Self:
        """Undo :meth:`to_json`; the summary is computed anew.

        Args:
            record: of schema 1 or 2.
            where: the file, for messages.

        Raises:
            GailError: a field is missing or has no place in the schema.
        """
        if record.get("schema", 1) == 1:
            record = _upgraded(record)
        known = {each.name for each in fields(cls)}
        given = {name: value for name, value in record.items() if name not in DERIVED}
        if missing := {"method", "environment", "returns"} - given.keys():
            raise GailError(f"{where} holds a score without {', '.join(sorted(missing))}.")
        if unknown := given.keys() - known:
            raise GailError(f"{where} holds fields that are not known: {', '.join(unknown)}.")
        if not len(given["returns"]) == len(given["lengths"]) == len(given["falls"]):
            raise GailError(
                f"{where} holds a score whose returns, lengths and falls differ in number."
            )
        given["curve"], given["scores"] = (
            [(int(step), float(value)) for step, value in given.get(name, [])]
            for name in ("curve", "scores")
        )
        return cls(**given)


SUMMARY = ("normalised_score", "mean_return", "std_return", "fall_rate", "steps_per_second")
DERIVED = {*SUMMARY, "schema", "kind", "episodes"}


def _upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """A score of schema 1 in schema 2."""
    record = dict(record)
    settings = dict(record.get("settings", {}))
    if "expert_resets" in record:  # stood beside the other settings
        settings["expert_resets"] = record.pop("expert_resets")
    steps, demonstrations = record.get("steps", 0), record.get("demonstrations")
    changed = {"asked_steps": steps, "reference": demonstrations, "settings": settings}
    return record | changed | {"schema": SCHEMA}


def scores_in(path: Path) -> list[Score]:
    """The scores in a file: one, a suite's, or none where it is of another kind.

    Raises:
        GailError: it is damaged, or of a newer schema.
    """
    record = read(path)
    if record["kind"] == "suite":
        return [Score.from_json(each, str(path)) for each in record.get("records", [])]
    return [Score.from_json(record, str(path))] if record["kind"] == "score" else []
