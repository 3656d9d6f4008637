"""The shipped demonstrations are what their data card says."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from gail import Demonstrations

CARD = (Path(__file__).resolve().parent.parent / "expert_data" / "README.md").read_text()


def test_the_data_card_tells_the_truth() -> None:
    demos = Demonstrations.shipped("Ant-v5")
    returns = demos.returns
    assert returns is not None
    assert demos.hash in CARD
    assert f"{demos.num_episodes} of 30 played" in CARD
    assert f"{returns.mean():.0f} ± {returns.std():.0f}" in CARD
    assert f"({returns.min():.0f} to {returns.max():.0f}, median {np.median(returns):.0f})" in CARD
    assert set(demos.lengths.tolist()) == {1000}
    assert not demos.terminated.any()


def test_they_fit_the_task_they_are_of() -> None:
    demos = Demonstrations.shipped("Ant-v5")
    env = gym.make("Ant-v5")
    assert isinstance(env.observation_space, spaces.Box)
    assert isinstance(env.action_space, spaces.Box)
    demos.check_for("Ant-v5", env.observation_space, env.action_space)
    assert demos.seeds is not None
    assert demos.seeds.max() < 10_000
    obs, _ = env.reset(seed=int(demos.seeds[0]))
    np.testing.assert_array_equal(obs.astype(np.float32), demos.observations[0])
    for action, reward in zip(demos.actions[:20], demos.rewards[:20], strict=True):  # type: ignore[index]
        _, found, *_ = env.step(action)
        assert np.float32(found) == reward
    env.close()
