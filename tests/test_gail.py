"""GAIL: the sign of everything, and that it reaches the expert on a task of seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from experts import point_mass_demonstrations
from gymnasium import spaces
from stable_baselines3.common.evaluation import evaluate_policy

import envs
from envs.toy import ID, PointMass, expert_action
from gail import GAIL, DemonstrationError, rewards
from gail.cloning import clone
from gail.demonstrations import Demonstrations, Episode
from gail.discriminator import Discriminator, Replay, adversarial_loss
from gail.presets import CloningSettings, DiscriminatorSettings, PPOSettings, Settings

BOX = spaces.Box(-2.0, 2.0, (2,))
QUICK = Settings(
    ppo=PPOSettings(
        num_envs=32,
        n_steps=32,
        batch_size=256,
        learning_rate=1e-3,
        kl_target=0.03,
        net_arch=(64, 64),
    ),
    discriminator=DiscriminatorSettings(
        batch_size=128, hidden=(64, 64), learning_rate=1e-3, gradient_penalty=1.0
    ),
    cloning=CloningSettings(steps=20, batch_size=64),
)


def small_gail(demonstrations: Demonstrations, settings: Settings = QUICK, **options: Any) -> GAIL:
    return GAIL("MlpPolicy", ID, demonstrations, settings, device="cpu", **options)


@pytest.mark.parametrize("shape", ["gail", "bounded", "airl", "log_d"])
def test_rewards_grow_with_the_logit_and_stay_finite(shape: str) -> None:
    logits = torch.linspace(-80, 80, 200)
    reward = rewards.REWARDS[shape](logits)  # type: ignore[index]
    assert torch.isfinite(reward).all()
    assert (reward.diff() >= 0).all()
    assert reward[0] < reward[-1]


def test_rewards_equal_their_equations_in_d() -> None:
    logits = torch.linspace(-4, 4, 33, dtype=torch.float64)
    d = torch.sigmoid(logits)
    torch.testing.assert_close(rewards.gail(logits), -torch.log(1 - d))
    torch.testing.assert_close(rewards.bounded(logits), d)
    torch.testing.assert_close(rewards.airl(logits), d.log() - (1 - d).log())
    torch.testing.assert_close(rewards.log_d(logits), d.log())
    torch.testing.assert_close(rewards.fairl(logits), -d / (1 - d) * (d / (1 - d)).log())
    assert (rewards.gail(logits) > 0).all()
    assert (rewards.log_d(logits) < 0).all()


@pytest.mark.parametrize("inputs", ["s", "sa", "ss", "sas"])
@pytest.mark.parametrize("loss", ["bce", "least_squares", "hinge", "wasserstein"])
def test_discriminator_learns_that_the_expert_is_high(inputs: Any, loss: Any) -> None:
    settings = DiscriminatorSettings(inputs=inputs, loss=loss, hidden=(32,))
    discriminator = Discriminator(3, BOX, settings)
    generator = torch.Generator().manual_seed(0)
    expert = tuple(1 + torch.randn(64, width, generator=generator) for width in (3, 2, 3))
    policy = tuple(-1 + torch.randn(64, width, generator=generator) for width in (3, 2, 3))
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
    for _ in range(60):
        rows = discriminator.features(*expert), discriminator.features(*policy)
        value, _ = adversarial_loss(discriminator, *rows, settings, generator)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert discriminator(*expert).mean() > discriminator(*policy).mean()
    assert discriminator(*expert).mean() > 0 > discriminator(*policy).mean()


@pytest.mark.parametrize(
    ("inputs", "seen"),
    [("s", (True, False, False)), ("sa", (True, True, False)), ("ss", (True, False, True))],
)
def test_discriminator_sees_what_it_is_told_to(inputs: Any, seen: tuple[bool, ...]) -> None:
    discriminator = Discriminator(3, BOX, DiscriminatorSettings(inputs=inputs))
    columns = [torch.randn(4, width, requires_grad=True) for width in (3, 2, 3)]
    discriminator(*columns).sum().backward()
    assert tuple(column.grad is not None for column in columns) == seen


def test_discriminator_sees_actions_clipped_and_in_half_ranges() -> None:
    discriminator = Discriminator(3, BOX, DiscriminatorSettings())
    action = torch.tensor([[1.0, 5.0]])
    features = discriminator.features(torch.zeros(1, 3), action, torch.zeros(1, 3))
    assert features[0, 3:].tolist() == [0.5, 1.0]


def test_every_regulariser_changes_the_loss() -> None:
    generator = torch.Generator().manual_seed(0)
    expert, policy = torch.randn(8, 5, generator=generator), torch.randn(8, 5, generator=generator)
    plain = DiscriminatorSettings(gradient_penalty=0.0)
    discriminator = Discriminator(3, BOX, plain)
    losses = [
        adversarial_loss(discriminator, expert, policy, settings, generator)[0].item()
        for settings in (
            plain,
            DiscriminatorSettings(),
            DiscriminatorSettings(gradient_penalty=0.0, r1_penalty=1.0),
            DiscriminatorSettings(gradient_penalty=0.0, logit_penalty=1.0),
            DiscriminatorSettings(gradient_penalty=0.0, entropy_bonus=1.0),
            DiscriminatorSettings(gradient_penalty=0.0, label_smoothing=0.1),
        )
    ]
    assert len(set(losses)) == len(losses)


@pytest.mark.parametrize("inputs", ["s", "sa", "ss", "sas"])
def test_what_replay_leaves_out_makes_no_difference(inputs: Any) -> None:
    discriminator = Discriminator(3, BOX, DiscriminatorSettings(inputs=inputs))
    transitions = torch.randn(5, 3), torch.randn(5, 2), torch.randn(5, 3)
    kept = discriminator.seen(*transitions)
    assert torch.equal(discriminator(*kept), discriminator(*transitions))
    state_reads = len(inputs) - ("a" in inputs)
    assert sum(column.shape[1] for column in kept) == 3 * state_reads + 2 * ("a" in inputs)


def test_replay_holds_the_last_rollouts_and_nothing_else() -> None:
    replay, generator = Replay(capacity=2), torch.Generator().manual_seed(0)
    for value in (1.0, 2.0, 3.0):
        replay.add(torch.full((4, 1), value), torch.full((4, 2), value))
        rows, others = replay.sample(200, generator)
        kept = {1.0} if value == 1.0 else {value - 1, value}
        assert set(rows.flatten().tolist()) == kept
        assert torch.equal(rows[:, 0], others[:, 0])  # rows of one transition stay together


@pytest.mark.parametrize("seed", range(5))
def test_it_reaches_the_expert_on_the_toy_task(seed: int) -> None:
    demonstrations = point_mass_demonstrations(episodes=16)
    model = small_gail(demonstrations, seed=seed).learn(40 * 1024)
    score, _ = evaluate_policy(model, model.get_env(), n_eval_episodes=64)
    random = mean_return(lambda obs: 4 * torch.rand(len(obs), 2) - 2)
    expert = mean_return(expert_action)
    assert (score - random) / (expert - random) >= 0.95


def test_without_the_discriminators_signal_it_does_not() -> None:
    """A constant reward, all else equal, must fail: the test above measures imitation."""
    model = small_gail(point_mass_demonstrations(episodes=16))
    model.reward = torch.zeros_like
    model.learn(20 * 1024)
    score, _ = evaluate_policy(model, model.get_env(), n_eval_episodes=64)
    random = mean_return(lambda obs: 4 * torch.rand(len(obs), 2) - 2)
    assert (score - random) / (mean_return(expert_action) - random) < 0.8


def test_zero_steps_are_behavioural_cloning() -> None:
    demonstrations = point_mass_demonstrations()
    settings = Settings(cloning=CloningSettings(steps=300), ppo=QUICK.ppo)
    model = small_gail(demonstrations, settings).learn(0)
    assert model.num_timesteps == 0
    expert = demonstrations.transitions()
    errors = model.predict(expert.obs.numpy(), deterministic=True)[0] - expert.action.numpy()
    assert np.square(errors / 2).mean() < 0.02


def test_cloning_lowers_the_error_and_leaves_the_deviation_alone() -> None:
    model = small_gail(point_mass_demonstrations())
    deviation = model.policy.log_std.detach().clone()
    settings = CloningSettings(steps=200)
    errors = clone(model.policy, model.expert, settings, torch.Generator().manual_seed(0))
    assert errors[-20:].mean() < 0.3 * errors[:5].mean()
    assert torch.equal(model.policy.log_std.detach(), deviation)


def test_statistics_start_at_the_demonstrations() -> None:
    demonstrations = point_mass_demonstrations()
    model = small_gail(demonstrations)
    expert = demonstrations.transitions().obs
    for normaliser in (model.policy.normaliser, model.discriminator.normaliser):
        torch.testing.assert_close(normaliser.mean, expert.mean(0), atol=1e-6, rtol=0)


def test_rollouts_hardly_move_the_statistics_that_cloning_relied_on() -> None:
    demonstrations = point_mass_demonstrations()
    shifts = []
    for rows in (0, 1_000_000):
        cloning = replace(QUICK.cloning, statistics_rows=rows)
        model = small_gail(demonstrations, replace(QUICK, cloning=cloning))
        before = model.policy.normaliser.mean.clone()
        shifts.append((model.learn(1024).policy.normaliser.mean - before).abs().max().item())
    assert shifts[1] < 0.01 * shifts[0]


def test_every_kth_step_is_what_the_discriminator_gets() -> None:
    demonstrations = point_mass_demonstrations(episodes=3)
    model = small_gail(demonstrations, every=8)
    assert len(model.expert.obs) == 3 * 32 // 8


def test_training_starts_in_the_experts_states_on_demand() -> None:
    demonstrations = Demonstrations.shipped("Ant-v5", trajectories=1)
    ppo = PPOSettings(num_envs=4, n_steps=8, batch_size=16)
    settings = Settings(ppo=ppo, cloning=CloningSettings(steps=1), expert_resets=1.0)
    model = GAIL("MlpPolicy", "Ant-v5", demonstrations, settings, device="cpu").learn(32)
    starts = model.rollout_buffer.observations[0]
    assert (starts[:, None] == demonstrations.transitions().obs).all(-1).any(1).all()
    with pytest.raises(ValueError, match="recorded states"):
        small_gail(point_mass_demonstrations(), replace(QUICK, expert_resets=0.5))


def test_demonstrations_of_another_task_are_refused() -> None:
    episode = Episode(np.zeros((4, 27)), np.zeros((3, 8)), None, terminated=False)
    with pytest.raises(DemonstrationError, match="27"):
        GAIL("MlpPolicy", "Ant-v5", Demonstrations.from_episodes([episode]), QUICK, device="cpu")


@pytest.mark.parametrize(
    ("told", "env"), [(f"envs.toy:{ID}", gym.make(f"envs.toy:{ID}")), (ID, f"envs.toy:{ID}")]
)
def test_the_module_of_a_task_makes_it_no_other(told: str, env: Any) -> None:
    """Gymnasium's environments do not tell the module that was imported for them."""
    demonstrations = replace(point_mass_demonstrations(1), env_id=told)
    assert GAIL("MlpPolicy", env, demonstrations, QUICK, device="cpu").demonstrations is not None
    other = replace(demonstrations, env_id="envs.toy:toy/PointMass-v9")
    with pytest.raises(DemonstrationError, match="versions differ"):
        GAIL("MlpPolicy", env, other, QUICK, device="cpu")


def test_training_without_demonstrations_is_one_sentence(tmp_path: Any) -> None:
    small_gail(point_mass_demonstrations()).save(tmp_path / "model")
    model = GAIL.load(tmp_path / "model", device="cpu")
    with pytest.raises(ValueError, match="demonstrations"):
        model.learn(100)


def mean_return(act: Any) -> float:
    env = PointMass(256, seed=50_000)
    obs, total = env.reset(), torch.zeros(256)
    playing = torch.ones(256, dtype=torch.bool)
    for _ in range(env.time_limit):
        step = env.step(act(obs))
        total += step.reward * playing
        playing &= ~(step.terminated | step.truncated)
        obs = step.obs
    return float(total.mean())


def test_engines_give_gail_what_gymnasium_gives() -> None:
    """The tensor engine and Gymnasium's environments lead to the same policy."""
    weights = []
    for env in (envs.make(ID, 4, "toy", "cpu"), envs.make(ID, 4, "gymnasium", "cpu")):
        settings = Settings(
            ppo=PPOSettings(num_envs=4, n_steps=16, batch_size=64), cloning=QUICK.cloning
        )
        model = GAIL("MlpPolicy", env, point_mass_demonstrations(2), settings, device="cpu")
        weights.append(model.learn(128).policy.action_net.weight.detach())
    assert torch.equal(*weights)
