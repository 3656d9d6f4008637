"""The shipped demonstrations and policies are what their data card says."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import gail
from gail import Demonstrations
from gail.evaluation import evaluate

FOLDER = Path(__file__).resolve().parent.parent / "expert_data"
CARD = (FOLDER / "README.md").read_text()
PLAYED = {"Ant-v5": 30, "Humanoid-v5": 12}


@pytest.mark.parametrize("env_id", PLAYED)
def test_the_data_card_tells_the_truth(env_id: str) -> None:
    demos = Demonstrations.shipped(env_id)
    returns = demos.returns
    assert returns is not None
    assert demos.hash in CARD
    assert f"{demos.num_episodes} of {PLAYED[env_id]} played" in CARD
    assert f"{returns.mean():.0f} ± {returns.std():.0f}" in CARD
    assert f"({returns.min():.0f} to {returns.max():.0f}" in CARD
    assert set(demos.lengths.tolist()) == {1000}
    assert not demos.terminated.any()


def test_the_median_on_the_card_is_that_of_the_file() -> None:
    assert f"median {np.median(Demonstrations.shipped('Ant-v5').returns):.0f}" in CARD  # type: ignore[arg-type]


@pytest.mark.parametrize("env_id", PLAYED)
def test_they_fit_the_task_they_are_of(env_id: str) -> None:
    demos = Demonstrations.shipped(env_id)
    env = gym.make(env_id)
    assert isinstance(env.observation_space, spaces.Box)
    assert isinstance(env.action_space, spaces.Box)
    demos.check_for(env_id, env.observation_space, env.action_space)
    assert demos.seeds is not None
    assert demos.seeds.max() < 10_000
    obs, _ = env.reset(seed=int(demos.seeds[0]))
    np.testing.assert_array_equal(obs.astype(np.float32), demos.observations[0])
    for action, reward in zip(demos.actions[:20], demos.rewards[:20], strict=True):  # type: ignore[index]
        _, found, *_ = env.step(action)
        assert np.float32(found) == reward
    env.close()


def test_the_cards_score_is_that_of_the_raw_scores() -> None:
    raw = json.loads((FOLDER.parent / "benchmarks" / "experts" / "ant-v5.json").read_text())
    assert len(raw["returns"]) == 50
    assert not any(raw["falls"])
    assert f"{np.mean(raw['returns']):.0f} ± {np.std(raw['returns']):.0f} over 50 other" in CARD


def test_no_file_is_larger_than_its_readers_expect() -> None:
    for file in FOLDER.glob("*.npz"):
        assert file.stat().st_size <= 12e6, file.name


def test_the_shipped_humanoid_walks_as_its_card_says() -> None:
    expert = gail.load(FOLDER / "humanoid-v5-expert.zip")
    score = evaluate(expert, "Humanoid-v5", episodes=1)
    assert score.fall_rate == 0
    assert score.mean_return > 10_000


def test_the_shipped_ant_runs_as_its_card_says() -> None:
    expert = gail.load(FOLDER / "ant-v5-expert.zip")
    score = evaluate(expert, "Ant-v5", episodes=1)
    assert score.fall_rate == 0
    assert score.mean_return > 4700


def test_the_shipped_imitator_of_ant_runs_like_the_expert_and_is_small() -> None:
    assert (FOLDER / "ant-v5-imitator.zip").stat().st_size < 1e6
    raw = json.loads(
        (FOLDER.parent / "benchmarks" / "ant-v5-gail-own-4-trajectories-seed-0.json").read_text()
    )
    score = evaluate(gail.pretrained("Ant-v5"), "Ant-v5", episodes=1)
    assert score.fall_rate == 0
    assert score.mean_return == pytest.approx(raw["records"][0]["returns"][0], rel=1e-3)
    assert f"{raw['records'][0]['mean_return']:.0f} ± {raw['records'][0]['std_return']:.0f}" in CARD
