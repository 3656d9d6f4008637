"""TorchPPO: its laws, and that it stays an SB3 algorithm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CheckpointCallback,
    EvalCallback,
    StopTrainingOnMaxEpisodes,
)
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import envs
from envs.toy import ID, PointMass
from gail import DivergenceError, TorchPPO
from gail.errors import GailError
from gail.losses import ppo_loss
from gail.policy import NormalisedPolicy, log_prob
from gail.presets import PPOSettings
from gail.rollout import Batch

SMALL = PPOSettings(num_envs=8, n_steps=16, batch_size=32, n_epochs=2, net_arch=(16,))


def small_model(env: Any = ID, settings: PPOSettings = SMALL, **options: Any) -> TorchPPO:
    return TorchPPO("MlpPolicy", env, settings, device="cpu", **options)


class RecordsRatios(TorchPPO):
    """Keeps the ratios of the first minibatch of every update."""

    first_ratios: list[torch.Tensor]

    def improve_policy(self, *args: Any) -> None:
        self.fresh = True
        super().improve_policy(*args)

    def _minibatch_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        if self.fresh:
            with torch.no_grad():
                _, log_probs, _ = self.policy.evaluate_features(batch.features, batch.actions)
            self.first_ratios.append(torch.exp(log_probs - batch.log_probs))
            self.fresh = False
        return super()._minibatch_step(batch)


@pytest.mark.parametrize("env_id", [ID, "Ant-v5"])
def test_ratio_is_exactly_one_on_the_first_minibatch_of_every_update(env_id: str) -> None:
    # From 16 rows on a row's outputs do not depend on how many others are multiplied with it.
    settings = replace(SMALL, num_envs=32, batch_size=64, net_arch=(64, 64))
    model = RecordsRatios("MlpPolicy", env_id, settings, device="cpu")
    model.first_ratios = []
    model.learn(4 * 32 * 16)
    assert len(model.first_ratios) == 4
    assert all((ratio == 1).all() for ratio in model.first_ratios)


def test_observation_statistics_stand_still_within_an_iteration_and_move_after_it() -> None:
    model = small_model()
    counts = []

    class Watch(StopTrainingOnMaxEpisodes):
        def _on_step(self) -> bool:
            counts.append(int(model.policy.normaliser.count))
            return True

    model.learn(2 * 8 * 16, callback=Watch(max_episodes=10**6))
    assert counts == [0] * 16 + [8 * 16] * 16
    assert model.policy.normaliser.count == 2 * 8 * 16


def test_clipped_loss_has_no_gradient_where_clipping_binds() -> None:
    log_probs = torch.tensor([0.5, 0.5, -0.5, -0.5], requires_grad=True)
    batch = Batch(
        torch.zeros(4, 1),
        torch.zeros(4, 1),
        torch.zeros(4),
        torch.tensor([1.0, -1.0, 1.0, -1.0]),
        torch.zeros(4),
    )
    loss, _ = ppo_loss(torch.zeros(4), log_probs, torch.zeros(4), batch, PPOSettings())
    loss.backward()
    assert log_probs.grad is not None
    # A better action already more likely, and a worse one already less likely, are left alone;
    # descent makes the worse action less likely and the better one more likely.
    assert log_probs.grad[0] == 0
    assert log_probs.grad[3] == 0
    assert log_probs.grad[1] > 0
    assert log_probs.grad[2] < 0


def test_kl_statistic_estimates_the_kl_divergence() -> None:
    generator = torch.Generator().manual_seed(0)
    old_mean, new_mean, log_std = torch.zeros(1, 2), torch.full((1, 2), 0.1), torch.zeros(2)
    actions = torch.randn(200_000, 2, generator=generator)
    batch = Batch(
        actions,
        actions,
        log_prob(actions, old_mean, log_std),
        torch.zeros(len(actions)),
        torch.zeros(len(actions)),
    )
    new = log_prob(actions, new_mean, log_std)
    _, statistics = ppo_loss(torch.zeros(len(actions)), new, new, batch, PPOSettings())
    assert statistics["approx_kl"].item() == pytest.approx(0.01, rel=0.03)  # |difference|² / 2


@pytest.mark.parametrize(("kl", "factor"), [(1.0, 1 / 1.5), (0.01, 1.0), (1e-5, 1.5)])
def test_step_size_follows_the_kl_target(kl: float, factor: float) -> None:
    model = small_model()
    model._adapt_learning_rate(torch.tensor(kl))
    rate = model.policy.optimizer.param_groups[0]["lr"]
    assert rate.item() == pytest.approx(3e-4 * factor, rel=1e-5)


class LooksAtThreads(BaseCallback):
    def _on_step(self) -> bool:
        assert torch.get_num_threads() == 1
        return True


def test_the_physics_shares_the_processor_with_one_thread_of_pytorch() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        small_model().learn(128, callback=LooksAtThreads())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_policy_speaks_the_environments_units() -> None:
    wide, narrow = gym.spaces.Box(-2.0, 2.0, (2,)), gym.spaces.Box(-0.4, 0.4, (2,))
    policies = []
    for box in (wide, narrow):
        torch.manual_seed(0)
        model = small_model(PointMass(4))
        model.policy.__init__(  # type: ignore[misc]
            model.observation_space, box, lambda _: 1e-3, **model.policy_kwargs
        )
        policies.append(model.policy)
    policies[1].load_state_dict(policies[0].state_dict())
    obs = torch.randn(5, 4)
    big, small = (policy.get_distribution(obs).distribution for policy in policies)
    torch.testing.assert_close(big.mean, 5 * small.mean)
    torch.testing.assert_close(big.stddev, 5 * small.stddev)


def test_act_evaluate_and_sb3s_distribution_agree() -> None:
    policy: NormalisedPolicy = small_model().policy
    obs = torch.randn(7, 4)
    with torch.no_grad():
        actions, values, log_probs = policy.act(obs, torch.Generator().manual_seed(1))
        again = policy.evaluate_actions(obs, actions)
        distribution = policy.get_distribution(obs)
    torch.testing.assert_close(values, again[0])
    torch.testing.assert_close(log_probs, again[1])
    torch.testing.assert_close(log_probs, distribution.log_prob(actions))
    entropy = distribution.entropy()
    assert entropy is not None
    torch.testing.assert_close(again[2], entropy)


def test_it_learns_the_toy_task_from_its_own_reward() -> None:
    settings = PPOSettings(num_envs=32, n_steps=32, batch_size=256, log_std_init=-1.0)
    model = small_model(settings=replace(settings, learning_rate=1e-3))
    before = evaluate_policy(model, model.get_env(), n_eval_episodes=32)[0]
    model.learn(32_768)
    after = evaluate_policy(model, model.get_env(), n_eval_episodes=32)[0]
    assert after > 24 > before  # the expert reaches 28.9, random actions 7.4


def test_sb3_callbacks_work(tmp_path: Path) -> None:
    model = small_model()
    callbacks = [
        CheckpointCallback(save_freq=16, save_path=str(tmp_path), name_prefix="sb3"),
        EvalCallback(small_model().get_env(), n_eval_episodes=2, eval_freq=16, verbose=0),
        StopTrainingOnMaxEpisodes(max_episodes=2),  # a copy of the environment
    ]
    model.learn(10_000, callback=callbacks)
    assert 0 < model.num_timesteps < 2000  # 16 episodes of at most 32 steps
    saved = sorted(tmp_path.glob("sb3*.zip"))
    assert saved
    obs = np.zeros((3, 4), np.float32)
    assert TorchPPO.load(saved[-1], device="cpu").predict(obs)[0].shape == (3, 2)


@pytest.mark.parametrize(
    "env",
    [
        lambda: gym.make(ID),
        lambda: DummyVecEnv([lambda: gym.make(ID)] * 2),
        lambda: VecNormalize(DummyVecEnv([lambda: gym.make(ID)] * 2)),
        lambda: envs.make(ID, 4),
    ],
    ids=["gymnasium", "vec_env", "wrapped", "engine"],
)
def test_any_environment_is_accepted(env: Any) -> None:
    model = small_model(env())
    model.learn(model.n_steps * model.n_envs)
    assert model.num_timesteps == model.n_steps * model.n_envs


def test_infos_tell_of_finished_episodes() -> None:
    model, lengths = small_model(), []

    class Reads(StopTrainingOnMaxEpisodes):
        def _on_step(self) -> bool:
            lengths.extend(i["episode"]["l"] for i in self.locals["infos"] if "episode" in i)
            return True

    model.learn(512, callback=Reads(max_episodes=10**6))
    assert lengths == [row["l"] for row in model.ep_info_buffer]


@pytest.mark.parametrize("culprit", ["actions", "gradient"])
def test_non_finite_values_stop_the_run_within_an_iteration(culprit: str, tmp_path: Path) -> None:
    model = small_model()
    model.learn(8 * 16)
    good = tmp_path / "good.zip"
    model.save_checkpoint(good)
    content = good.read_bytes()
    with torch.no_grad():
        if culprit == "actions":
            model.policy.action_net.bias[0] = torch.nan
        else:
            model.policy.value_net.weight[0, 0] = torch.inf
    with pytest.raises(DivergenceError, match="actions" if culprit == "actions" else "values"):
        model.learn(10 * 8 * 16, reset_num_timesteps=False)
    assert model.num_timesteps <= 2 * 8 * 16
    assert good.read_bytes() == content


def test_loading_is_for_prediction(tmp_path: Path) -> None:
    model = small_model()
    model.save(tmp_path / "model")
    where = tmp_path / "model.zip"
    loaded = TorchPPO.load(where, device="cpu")
    attempts: list[Callable[[], object]] = [
        lambda: TorchPPO.load(where, env=model.env),
        lambda: TorchPPO.load(where, gym.make(ID)),  # type: ignore[arg-type]
        lambda: loaded.set_env(gym.make(ID)),
        lambda: loaded.learn(64),
    ]
    for attempt in attempts:
        with pytest.raises(GailError, match=r"for prediction .* call its restore"):
            attempt()
    with pytest.raises(GailError, match="is 3 side by side, and the model was built for 8"):
        model.set_env(envs.make(ID, 3))
    model.set_env(envs.make(ID, 8))
    assert model.learn(8 * 16).num_timesteps == 8 * 16


def test_unknown_environment_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="NoSuchTask-v5"):
        small_model("NoSuchTask-v5")


def test_observations_that_are_not_finite_stop_the_run() -> None:
    model = small_model()
    start = model.engine.reset
    model.engine.reset = lambda seed=None: torch.full_like(start(seed), torch.nan)  # type: ignore[method-assign]
    with pytest.raises(DivergenceError, match="observations are not finite"):
        model.learn(64)
