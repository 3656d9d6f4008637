"""Suites are values: runs with names of their own, and the command lines that make them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from envs.toy import expert_action
from gail.bench import METHODS, Run, Suite, grid, runner
from gail.bench.methods import settings_of, train_words
from gail.bench.suites import SUITES, chosen, toy
from gail.cli import parse
from gail.demonstrations import Demonstrations
from gail.errors import GailError
from gail.presets import CloningSettings, PPOSettings, Settings
from gail.rewards import constant

TOY = "toy/PointMass-v0"
SMALL = Settings(ppo=PPOSettings(net_arch=(16,), kl_target=None), cloning=CloningSettings(steps=10))


@pytest.mark.parametrize("name", SUITES)
def test_shipped_suites_are_whole(name: Any) -> None:
    suite = SUITES[name]()
    assert suite.name == name
    names = [run.name for run in suite.runs]
    assert len(set(names)) == len(names)
    assert all(run.steps for run in suite.runs if METHODS[run.method].steps)


def test_a_name_tells_runs_apart() -> None:
    run = Run("gail", TOY, trajectories=4, steps=100)
    others: list[dict[str, Any]] = [
        {"environment": "Ant-v5"},
        {"demonstrations": "mine.npz"},
        {"trajectories": 1},
        {"every": 20},
        {"steps": 200},
        {"seed": 1},
        {"settings": SMALL},
        {"method": "constant"},
    ]
    names = {replace(run, **changed).name for changed in others}
    assert len({*names, run.name}) == len(others) + 1
    assert not any("/" in name for name in names)


@pytest.mark.parametrize(
    "wrong",
    [{"method": "dagger"}, {"every": 0}, {"steps": 0}, {"seed": -1}, {"method": "bc"}],
)
def test_runs_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(GailError, match="give"):
        replace(Run("gail", TOY, steps=10), **wrong)


def test_suites_that_cannot_be_are_refused() -> None:
    run = Run("random", TOY)
    with pytest.raises(GailError, match="2 runs named"):
        Suite("mine", (run, run))
    with pytest.raises(GailError, match="No run is left"):
        chosen(Suite("mine", grid(["bc"], [TOY])), methods=("gail",))


def test_flags_replace_what_a_suite_has() -> None:
    kept: tuple[Any, ...] = ("gail", "bc", "ppo")
    found = chosen(
        toy(), methods=kept, seeds=(5, 6), trajectories=(1, 2), every=3, steps=64, episodes=3
    )
    assert len(found.runs) == 3 * 2 * 2
    assert {run.steps for run in found.runs} == {0, 64}
    assert {(run.method, run.every) for run in found.runs} == {("gail", 3), ("bc", 3), ("ppo", 1)}
    assert found.episodes == 3


@pytest.mark.parametrize("method", runner.OURS)
@pytest.mark.parametrize("environment", [TOY, "Ant-v5", "Humanoid-v5"])
@pytest.mark.parametrize("settings", [None, SMALL])
def test_the_command_means_the_run(method: Any, environment: str, settings: Any) -> None:
    steps = 512 if METHODS[method].steps else 0
    run = Run(method, environment, None, 3, 2, steps, 7, settings)
    train = parse(train_words(run))
    wanted = settings_of(run)
    assert (train.env, train.seed) == (environment, 7)
    assert (train.ppo, train.cloning) == (wanted.ppo, wanted.cloning)
    assert train.discriminator == wanted.discriminator
    assert train.steps == steps
    assert train.method == (method if method in ("bc", "ppo") else "gail")
    assert (train.trajectories, train.every) == ((3, 2) if method != "ppo" else (None, 1))


def test_the_constant_reward_tells_nothing() -> None:
    assert constant(torch.tensor([-5.0, 0.0, 5.0])).tolist() == pytest.approx([0.6931472] * 3)


def test_the_shipped_toy_demonstrations_are_the_analytic_experts() -> None:
    for episode in Demonstrations.shipped(TOY).episodes():
        wanted = expert_action(torch.from_numpy(episode.observations[:-1])).numpy()
        assert episode.actions == pytest.approx(wanted)
        assert episode.seed in range(1000, 1008)
    card = (Path(__file__).resolve().parent.parent / "expert_data" / "README.md").read_text()
    assert Demonstrations.shipped(TOY).hash in card


def test_the_command_of_a_peer_makes_its_run_alone() -> None:
    for run in toy().runs:
        if run.method not in runner.OURS:
            words = runner.command_of(run, "toy").split()[1:]
            (again,) = parse(words)._suite().runs
            assert again == run
