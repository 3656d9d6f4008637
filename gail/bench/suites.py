"""The suites that ship with the project, run by ``gail bench NAME``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from gail.bench.suite import METHODS, Method, Run, Suite, grid
from gail.presets import CloningSettings, DiscriminatorSettings, PPOSettings, Settings

SuiteName = Literal["toy", "ant", "humanoid"]
CONTROLS: tuple[Method, ...] = ("constant", "constant-uncloned")


def toy() -> Suite:
    """Every method in seconds, to see that all of them work; the scores mean nothing."""
    settings = Settings(
        ppo=PPOSettings(num_envs=16, n_steps=32, batch_size=128, net_arch=(32, 32)),
        discriminator=DiscriminatorSettings(hidden=(32,), batch_size=64, updates=2),
        cloning=CloningSettings(steps=30, batch_size=64),
    )
    small = grid(
        ["gail", "bc", "ppo", "constant"], ["toy/PointMass-v0"],
        trajectories=[4], seeds=(0, 1), steps=1024, points=2,
    )  # fmt: skip
    others = grid(
        ["sb3-ppo", "imitation-gail", "random"], ["toy/PointMass-v0"],
        trajectories=[4], steps=1024, points=2,
    )  # fmt: skip
    return Suite("toy", (*(replace(run, settings=settings) for run in small), *others), episodes=20)


def ant() -> Suite:
    """GAIL from four trajectories and from one, against cloning, rewards, a peer and controls."""
    tasks = ["Ant-v5"]
    return Suite(
        "ant",
        (
            *grid(
                ["gail"], tasks, trajectories=[4, 1], seeds=(0, 1, 2), steps=1_500_000, points=10
            ),
            *grid(["bc", "random"], tasks, trajectories=[4], seeds=(0, 1, 2)),
            *grid(["bc"], tasks, trajectories=[1], seeds=(0, 1, 2)),
            *grid(["ppo", "constant"], tasks, trajectories=[4], steps=1_500_000, points=10),
            *grid(["sb3-ppo"], tasks, trajectories=[4], steps=1_500_000, points=10),
            *grid(["constant-uncloned"], tasks, trajectories=[4], steps=1_000_000, points=4),
            # A million of the ten its settings were tuned for (on seals/Ant), because it is slow.
            *grid(["imitation-gail"], tasks, trajectories=[4], steps=1_000_000, points=4),
        ),
    )


def humanoid() -> Suite:
    """GAIL from ten trajectories and from one, against cloning, rewards and controls."""
    tasks = ["Humanoid-v5"]
    return Suite(
        "humanoid",
        (
            *grid(["gail"], tasks, trajectories=[10], seeds=(0, 1), steps=1_500_000, points=6),
            *grid(["gail"], tasks, trajectories=[1], steps=1_500_000, points=6),
            *grid(["bc"], tasks, trajectories=[10, 1], seeds=(0, 1)),
            *grid(["random"], tasks, trajectories=[10]),
            *grid(["ppo", "constant"], tasks, trajectories=[10], steps=1_500_000, points=6),
        ),
    )


SUITES: dict[SuiteName, Callable[[], Suite]] = {"toy": toy, "ant": ant, "humanoid": humanoid}


def chosen(
    suite: Suite,
    *,
    methods: tuple[Method, ...] = (),
    seeds: tuple[int, ...] = (),
    trajectories: tuple[int, ...] = (),
    demonstrations: str | None = None,
    every: int | None = None,
    steps: int | None = None,
    episodes: int | None = None,
) -> Suite:
    """A suite with some of its values replaced.

    Args:
        suite: to start from.
        methods: keep only these; none keeps all.
        seeds: of every condition, in place of the suite's.
        trajectories: of every condition, in place of the suite's.
        demonstrations: in place of the shipped ones.
        every: of every method that imitates, in place of the suite's.
        steps: of every method that takes any.
        episodes: that every policy is scored on.

    Raises:
        GailError: nothing is left, or a value is out of its range.

    >>> len(chosen(toy(), methods=("gail",), seeds=(0, 1, 2)).runs)
    3
    """
    runs: dict[str, Run] = {}
    for run in suite.runs:
        if methods and run.method not in methods:
            continue
        imitates = METHODS[run.method].imitates
        for seed in seeds or (run.seed,):
            for count in trajectories or (run.trajectories,):
                made = replace(
                    run,
                    seed=seed,
                    trajectories=count,
                    demonstrations=demonstrations or run.demonstrations,
                    every=every if every is not None and imitates else run.every,
                    steps=steps if steps is not None and run.steps else run.steps,
                )
                runs.setdefault(made.name, made)
    return Suite(suite.name, tuple(runs.values()), episodes or suite.episodes)
