"""What a benchmark is: runs, and suites of them, as plain values.

This module imports nothing heavy, so that the command line can show its help at once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Literal, NamedTuple

from gail import ranges
from gail.errors import GailError
from gail.presets import Settings

Method = Literal[
    "gail", "bc", "ppo", "sb3-ppo", "imitation-gail", "constant", "constant-uncloned", "random"
]


class About(NamedTuple):
    """What there is to know of a method before it runs."""

    title: str
    imitates: bool  # whether it learns from demonstrations
    steps: bool  # whether it takes environment steps
    package: str | None = None  # a module that has to be installed beside this project


_IMITATION = "imitation.algorithms.adversarial.gail"
METHODS: dict[Method, About] = {
    "gail": About("GAIL", imitates=True, steps=True),
    "bc": About("behavioural cloning", imitates=True, steps=False),
    "ppo": About("PPO on the task's own reward", imitates=False, steps=True),
    "sb3-ppo": About("SB3's PPO on the task's own reward", imitates=False, steps=True),
    "imitation-gail": About("imitation's GAIL, tuned for seals/Ant", True, True, _IMITATION),
    "constant": About("control: constant reward", imitates=True, steps=True),
    "constant-uncloned": About("control: constant reward, not cloned", True, True),
    "random": About("random actions", imitates=False, steps=False),
}

_RANGES = {
    "method": ranges.one_of(Method),
    "trajectories": ranges.optional(ranges.whole(1)),
    "every": ranges.whole(1),
    "steps": ranges.whole(0),
    "seed": ranges.whole(0),
    "points": ranges.whole(0),
}


@dataclass(frozen=True)
class Run:
    """One policy to train and to score.

    Raises:
        GailError: a field is out of its range, or steps are missing or not taken.

    >>> Run("gail", "Ant-v5", trajectories=4, steps=3_000_000, seed=1).name
    'ant-v5-gail-4-trajectories-3000000-steps-seed-1'
    """

    method: Method
    """Who learns."""
    environment: str
    """Gymnasium id."""
    demonstrations: str | None = None
    """A file, a folder or a Minari id; None takes the shipped ones. Methods that do not imitate
    are normalised by them."""
    trajectories: int | None = None
    """Only the first so many episodes; None takes all."""
    every: int = 1
    """Only every k-th step of each episode, from a random offset."""
    steps: int = 0
    """Environment steps; 0 for methods that take none."""
    seed: int = 0
    """Of weights, noise, environments and offsets."""
    settings: Settings | None = None
    """Of this project's learners; None takes the preset of the task."""
    points: int = 0
    """Scores of the deterministic policy on the way, evenly spaced over the steps."""

    def __post_init__(self) -> None:
        ranges.check(self, _RANGES)
        if METHODS[self.method].steps != bool(self.steps):
            wanted = "1 or more" if METHODS[self.method].steps else "0, because it takes none"
            raise GailError(f"steps of the method '{self.method}' is {self.steps}; give {wanted}.")

    @property
    def name(self) -> str:
        """Of its folder and of its row in the raw scores: tells all but the seconds it took."""
        parts = [slug(self.environment), self.method]
        if self.demonstrations is not None:
            parts.append(slug(Path(self.demonstrations).stem))
        if self.trajectories is not None:
            parts.append(f"{self.trajectories}-trajectories")
        if self.every > 1:
            parts.append(f"every-{self.every}")
        if self.steps:
            parts.append(f"{self.steps}-steps")
        if self.settings is not None:
            text = json.dumps(asdict(self.settings), sort_keys=True)
            parts.append(f"settings-{hashlib.sha256(text.encode()).hexdigest()[:8]}")
        return "-".join([*parts, f"seed-{self.seed}"])


@dataclass(frozen=True)
class Suite:
    """Runs that are compared with one another.

    Raises:
        GailError: there are none, or two are the same.
    """

    name: str
    """Of its files."""
    runs: tuple[Run, ...]
    """In the order they are made."""
    episodes: int = 50
    """Episodes that every policy is scored on."""

    def __post_init__(self) -> None:
        ranges.check(self, {"episodes": ranges.whole(1)})
        if not self.runs:
            raise GailError(f"No run is left of the suite '{self.name}'; choose fewer conditions.")
        name, count = Counter(run.name for run in self.runs).most_common(1)[0]
        if count > 1:
            raise GailError(f"The suite '{self.name}' has {count} runs named {name}; give it one.")


def grid(
    methods: Iterable[Method],
    environments: Iterable[str],
    *,
    trajectories: Iterable[int | None] = (None,),
    seeds: Sequence[int] = (0,),
    steps: int = 0,
    every: int = 1,
    points: int = 0,
) -> tuple[Run, ...]:
    """All combinations, each method with its steps.

    Args:
        methods: who learns.
        environments: Gymnasium ids.
        trajectories: numbers of episodes of the shipped demonstrations, None for all.
        seeds: of each combination.
        steps: of the methods that take any.
        every: keep every k-th step of the demonstrations.
        points: deterministic scores on the way, for the methods that take steps.

    >>> [run.steps for run in grid(["gail", "bc"], ["Ant-v5"], steps=100)]
    [100, 0]
    """
    return tuple(
        Run(
            method,
            environment,
            trajectories=count,
            every=every if METHODS[method].imitates else 1,
            steps=steps if METHODS[method].steps else 0,
            seed=seed,
            points=points if METHODS[method].steps else 0,
        )
        for environment, count, method, seed in product(environments, trajectories, methods, seeds)
    )


def slug(text: str) -> str:
    """A name for files.

    >>> slug("toy/PointMass-v0")
    'toy-pointmass-v0'
    """
    return text.lower().replace("/", "-").replace(" ", "-")
