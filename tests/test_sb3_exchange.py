"""Policies to and from Stable-Baselines3: the same actions on both sides."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

import gail
from envs import toy
from gail import TorchPPO, from_sb3, to_sb3
from gail.playing import make
from gail.presets import Activation, PPOSettings
from gail.sb3_zip import read_zip

FIXTURES = Path(__file__).parent / "fixtures" / "sb3"
TOLERANCE = {"rtol": 0.0, "atol": 1e-6}


def observations(width: int, scale: float = 3.0, rows: int = 50) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(rows, width)) * scale
    return drawn.astype(np.float32)


def acting(policy: Any, obs: np.ndarray) -> np.ndarray:
    actions: np.ndarray = policy.predict(obs, deterministic=True)[0]
    return actions


@pytest.fixture(params=["elu", "relu", "tanh"])
def model(request: pytest.FixtureRequest) -> TorchPPO:
    """A policy whose actions fill the box; one observation is constant, others are clipped."""
    activation: Activation = request.param
    settings = PPOSettings(num_envs=2, n_steps=8, batch_size=16, net_arch=(16, 8))
    made = TorchPPO("MlpPolicy", toy.ID, replace(settings, activation=activation))
    rows = torch.as_tensor(observations(made.observation_space.shape[0], scale=0.1))
    rows[:, 1] = 5.0
    made.policy.normaliser.update(rows)
    with torch.no_grad():
        made.policy.action_net.weight.mul_(30)
    return made


def test_sb3_gives_our_actions(model: TorchPPO, tmp_path: Path) -> None:
    obs = observations(model.observation_space.shape[0])
    ours = acting(model, obs)
    assert ours.std() > 0.1
    twin = to_sb3(model, tmp_path / "policy.zip")
    env = make(toy.ID)
    loaded = PPO.load(tmp_path / "policy.zip", env=env, device="cpu")
    for policy in (twin, loaded, from_sb3(tmp_path / "policy.zip", toy.ID, device="cpu")):
        np.testing.assert_allclose(acting(policy, obs), ours, **TOLERANCE)
    rows = torch.as_tensor(obs)
    values = loaded.policy.predict_values(rows), model.policy.predict_values(rows)
    torch.testing.assert_close(*values)
    torch.manual_seed(0)
    drawn = model.predict(obs)[0]
    torch.manual_seed(0)
    np.testing.assert_allclose(loaded.predict(obs)[0], drawn, **TOLERANCE)


def test_sb3_goes_on_learning(tmp_path: Path) -> None:
    settings = PPOSettings(num_envs=2, n_steps=8, batch_size=8, net_arch=(4,))
    to_sb3(TorchPPO("MlpPolicy", toy.ID, settings), tmp_path / "policy.zip")
    loaded = PPO.load(tmp_path / "policy.zip", env=make(toy.ID), device="cpu")
    before = acting(loaded, observations(4))
    after = acting(loaded.learn(16), observations(4))
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)


def test_the_zip_opens_where_this_project_is_not_installed(tmp_path: Path) -> None:
    settings = PPOSettings(num_envs=2, n_steps=8, net_arch=(4,))
    model = TorchPPO("MlpPolicy", toy.ID, settings)
    to_sb3(model, tmp_path / "policy.zip")
    code = (
        "import sys\nfor name in ('gail', 'generative', 'envs'): sys.modules[name] = None\n"
        "import numpy as np\nfrom stable_baselines3 import PPO\n"
        "print(PPO.load('policy.zip', device='cpu').predict(np.ones(4, 'f'), None, None, True)[0])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    found = np.array(told.stdout.strip(" []\n").split(), float)
    np.testing.assert_allclose(found, acting(model, np.ones(4, "f")), atol=1e-6)


def test_a_committed_zip_gives_the_actions_that_sb3_gave() -> None:
    known = np.load(FIXTURES / "actions.npz", allow_pickle=False)
    model = from_sb3(FIXTURES / "ppo.zip", "Pendulum-v1", device="cpu")
    assert model.ppo_settings.activation == "relu"
    assert model.num_timesteps == 16
    np.testing.assert_allclose(acting(model, known["observations"]), known["actions"], **TOLERANCE)


@pytest.mark.parametrize(
    ("algorithm", "net_arch", "activation"),
    [
        (PPO, [8, 4], nn.Tanh),
        (A2C, [8], nn.ELU),
        (PPO, [], nn.ReLU),
        (PPO, {"pi": [8], "vf": [6, 4]}, nn.ReLU),
    ],
)
def test_we_give_sb3s_actions(
    algorithm: Any, net_arch: Any, activation: type[nn.Module], tmp_path: Path
) -> None:
    kwargs = {"net_arch": net_arch, "activation_fn": activation}
    theirs = algorithm("MlpPolicy", "Pendulum-v1", n_steps=64, policy_kwargs=kwargs, device="cpu")
    theirs.save(tmp_path / "theirs.zip")
    ours = from_sb3(tmp_path / "theirs.zip", "Pendulum-v1", device="cpu")
    for scale in (1.0, 1e4):  # SB3 does not clip observations
        obs = observations(3, scale)
        np.testing.assert_allclose(acting(ours, obs), acting(theirs, obs), **TOLERANCE)
    ours.save(tmp_path / "ours.zip")
    again = gail.load(tmp_path / "ours.zip", device="cpu")
    np.testing.assert_array_equal(acting(again, obs), acting(ours, obs))


@pytest.mark.parametrize("clip", [10.0, 2.0])
def test_statistics_of_vecnormalize_come_along(clip: float, tmp_path: Path) -> None:
    env = VecNormalize(DummyVecEnv([lambda: make("Pendulum-v1")]), clip_obs=clip, epsilon=1e-4)
    theirs = PPO("MlpPolicy", env, n_steps=64, batch_size=64, n_epochs=1, device="cpu").learn(64)
    theirs.save(tmp_path / "theirs.zip")
    ours = from_sb3(tmp_path / "theirs.zip", "Pendulum-v1", normaliser=env, device="cpu")
    obs = observations(3, 30.0)
    assert np.mean(np.abs(env.normalize_obs(obs)) == clip) > 0.1
    np.testing.assert_allclose(acting(ours, obs), acting(theirs, env.normalize_obs(obs)), atol=2e-6)


def test_the_activation_is_read_from_words() -> None:
    assert read_zip(FIXTURES / "ppo.zip").activation == "ReLU"
