"""Engines inside Stable-Baselines3, and its VecEnvs as engines."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from envs import toy
from envs.native import NativeEnv
from envs.sb3 import EngineVecEnv, VecEnvEngine, as_engine
from envs.specs import TASKS

N = 4


def adapter(seed: int = 0) -> EngineVecEnv:
    return EngineVecEnv(toy.PointMass(N, seed=seed))


def test_equals_sb3s_own_vec_env_with_monitors() -> None:
    ours, theirs = adapter(), DummyVecEnv([lambda: Monitor(gym.make(toy.ID))] * N)
    ours.seed(2)
    theirs.seed(2)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    random = np.random.default_rng(0)
    endings = 0
    for _ in range(100):
        actions = random.uniform(-2, 2, (N, 2)).astype(np.float32)
        (*a, infos), (*b, their_infos) = ours.step(actions), theirs.step(actions)
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype
        for i in a[2].nonzero()[0]:
            mine, other = infos[i], their_infos[i]
            np.testing.assert_array_equal(
                mine["terminal_observation"], other["terminal_observation"]
            )
            assert mine["episode"]["r"] == pytest.approx(other["episode"]["r"], abs=1e-5)
            assert mine["episode"]["l"] == other["episode"]["l"]
            assert mine["episode"]["t"] >= 0
            endings += 1
        assert not any(info for info, done in zip(infos, a[2], strict=True) if not done)
    assert endings > N


def test_seed_holds_for_one_reset() -> None:
    env = adapter()
    env.seed(11)
    first = env.reset()
    assert not np.array_equal(first, env.reset())
    env.seed(11)
    np.testing.assert_array_equal(first, env.reset())


def test_reset_starts_the_episode_statistics_anew() -> None:
    env = EngineVecEnv(toy.PointMass(1, time_limit=3))
    action = np.zeros((1, 2), np.float32)
    env.reset()
    env.step(action)
    env.reset()
    infos = [env.step(action)[3][0] for _ in range(6)]
    assert [info["episode"]["l"] for info in infos if info] == [3, 3]


def test_attributes() -> None:
    env = adapter()
    assert env.get_attr("render_mode") == [None] * N
    assert env.get_attr("time_limit", [0, 2]) == [toy.TIME_LIMIT] * 2
    assert env.env_is_wrapped(Monitor) == [True] * N
    assert env.env_is_wrapped(gym.wrappers.TimeLimit, indices=0) == [False]
    assert env.has_attr("device")
    assert not env.has_attr("nothing")
    with pytest.raises(AttributeError, match="configure the engine"):
        env.set_attr("time_limit", 3)
    with pytest.raises(AttributeError, match="no single environments"):
        env.env_method("render")


def test_ppo_learns_on_it_and_is_evaluated() -> None:
    env = adapter()
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=64, n_epochs=2, seed=0)
    model.learn(256)
    assert len(model.ep_info_buffer) > 0
    score, deviation = evaluate_policy(model, env, n_eval_episodes=4)
    official = Monitor(gym.make(toy.ID))
    assert np.isfinite([score, deviation, evaluate_policy(model, official, 2)[0]]).all()


def test_works_under_sb3s_normaliser() -> None:
    env = VecNormalize(EngineVecEnv(NativeEnv(TASKS["Hopper-v5"], N)))
    PPO("MlpPolicy", env, n_steps=32, batch_size=64, n_epochs=1, seed=0).learn(256)
    assert env.obs_rms.count > 100
    env.close()


def test_engine_behind_an_adapter_and_in_front_of_a_wrapper() -> None:
    env = adapter()
    assert as_engine(env) is env.engine
    wrapped = as_engine(VecNormalize(env))
    assert isinstance(wrapped, VecEnvEngine), "the normaliser must not be bypassed"
    assert wrapped.id == toy.ID
    assert wrapped.reset().shape == (N, 4)


class Odd(gym.Env[np.ndarray, np.ndarray]):
    """Two-dimensional float64 spaces, as some robots have them."""

    observation_space = spaces.Box(-1e300, 1e300, (2, 3), np.float64)
    action_space = spaces.Box(-1.0, 1.0, (2, 2), np.float64)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        return np.zeros((2, 3)), {}

    def step(self, action: np.ndarray):
        assert action.shape == (2, 2)
        assert self.action_space.contains(action)
        return np.full((2, 3), action.sum()), 1.0, True, False, {}


def test_boxes_of_any_shape_are_flattened() -> None:
    env = VecEnvEngine(DummyVecEnv([Odd]))
    assert env.id == "DummyVecEnv"
    assert env.observation_space.shape == (6,)
    assert np.isinf(env.observation_space.high).all()
    assert env.action_space.shape == (4,)
    assert env.reset().shape == (1, 6)
    step = env.step(torch.full((1, 4), 3.0))
    assert torch.equal(step.final_obs, torch.full((1, 6), 4.0))
    assert torch.equal(step.obs, torch.zeros(1, 6))


def test_discrete_vec_env_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="action space of CartPole-v1 is Discrete"):
        VecEnvEngine(DummyVecEnv([lambda: gym.make("CartPole-v1")]))
