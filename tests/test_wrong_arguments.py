"""Wrong arguments in Python: one sentence of what was given and what to give."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from experts import point_mass_demonstrations
from gymnasium import spaces
from stable_baselines3.common.policies import ActorCriticPolicy

import envs
from envs.toy import ID
from gail import GAIL, Demonstrations, TorchPPO
from gail.demonstrations import Episode
from gail.errors import GailError
from gail.presets import PPOSettings, Settings

SMALL = PPOSettings(num_envs=2, n_steps=4, net_arch=(4,))


class Unbounded(gym.Env[Any, Any]):
    """A task whose actions have no bounds."""

    observation_space = spaces.Box(-1.0, 1.0, (3,))
    action_space = spaces.Box(-np.inf, np.inf, (2,))


PPO_CASES: list[tuple[dict[str, Any], str]] = [
    ({"settings": Settings()}, "settings is a Settings; give a gail.presets.PPOSettings"),
    ({"policy": "CnnPolicy"}, "policy is 'CnnPolicy'; give 'MlpPolicy'"),
    ({"policy": ActorCriticPolicy}, "subclass of NormalisedPolicy"),
    ({"env": 3}, "environment is a int; give a Gymnasium id"),
    ({"env": gym.make(ID), "settings": PPOSettings(n_steps=1)}, "one step of one environment"),
    ({"env": Unbounded()}, "without finite bounds; give it some"),
    ({"seed": None}, "seed is None"),
    ({"seed": 0.5}, "seed is 0.5"),
    ({"device": "abacus"}, "device is 'abacus'"),
]


@pytest.mark.parametrize(("changed", "told"), PPO_CASES)
def test_learners_refuse_wrong_arguments(changed: dict[str, Any], told: str) -> None:
    arguments: dict[str, Any] = {"policy": "MlpPolicy", "env": ID, "settings": SMALL}
    with pytest.raises(ValueError, match=told):
        TorchPPO(**(arguments | {"device": "cpu"} | changed))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"demonstrations": "mine.npz"}, "demonstrations is a str; give a .*Demonstrations"),
        ({"settings": SMALL}, "settings is a PPOSettings; give a gail.presets.Settings"),
        ({"every": 1.5}, "every is 1.5"),
    ],
)
def test_gail_refuses_wrong_arguments(changed: dict[str, Any], told: str) -> None:
    arguments: dict[str, Any] = {"policy": "MlpPolicy", "env": ID, "settings": Settings(ppo=SMALL)}
    arguments |= {"demonstrations": point_mass_demonstrations(2), "device": "cpu"}
    with pytest.raises(GailError, match=told):
        GAIL(**(arguments | changed))


def test_engines_count_in_whole_numbers() -> None:
    with pytest.raises(ValueError, match=r"num_envs is 2\.0"):
        envs.make("Ant-v5", num_envs=2.0, device="cpu")  # type: ignore[arg-type]


def test_episodes_are_episodes() -> None:
    good = next(point_mass_demonstrations(1).episodes())
    mixed: list[Any] = [good, (good.observations, good.actions)]
    with pytest.raises(
        GailError, match=r"episode 1 is a tuple; give gail\.demonstrations\.Episode"
    ):
        Demonstrations.from_episodes(mixed)
    assert isinstance(good, Episode)
