"""Advantages, rollout storage and reward scaling against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer

from envs import Step
from gail.rollout import EpisodeMeter, RewardScale, Rollout, gae

T, N, WIDTH, A = 12, 5, 3, 2
GAMMA, LAMBDA = 0.9, 0.8
OBSERVATIONS = spaces.Box(-np.inf, np.inf, (WIDTH,))
ACTIONS = spaces.Box(-1.0, 1.0, (A,))


def value(obs: torch.Tensor) -> torch.Tensor:
    """Any function of observations serves as a value function."""
    return obs.sum(-1).sin()


def random_rollout(seed: int = 0) -> Rollout:
    generator = torch.Generator().manual_seed(seed)
    rollout = Rollout(T, OBSERVATIONS, ACTIONS, "cpu", LAMBDA, GAMMA, N)
    obs = torch.randn(N, WIDTH, generator=generator)
    for t in range(T):
        terminated = torch.rand(N, generator=generator) < 0.2
        truncated = torch.rand(N, generator=generator) < 0.2
        final_obs = torch.randn(N, WIDTH, generator=generator)
        fresh = torch.randn(N, WIDTH, generator=generator)
        done = (terminated | truncated).unsqueeze(-1)
        step = Step(
            torch.where(done, fresh, final_obs),
            torch.randn(N, generator=generator),
            terminated,
            truncated,
            final_obs,
        )
        acted = (torch.randn(N, A, generator=generator), value(obs), torch.zeros(N))
        rollout.store(t, obs, acted, step)
        obs = step.obs
    return rollout


def test_gae_is_the_discounted_sum_of_td_errors() -> None:
    rollout = random_rollout()
    rollout.compute_advantages(rollout.rewards, value)
    next_values = torch.where(rollout.terminated, 0.0, value(rollout.next_observations))
    deltas = rollout.rewards + GAMMA * next_values - rollout.values
    for t in range(T):
        for n in range(N):
            total, weight = 0.0, 1.0
            for k in range(t, T):
                total += weight * deltas[k, n].item()
                weight *= GAMMA * LAMBDA
                if rollout.dones[k, n]:
                    break
            assert rollout.advantages[t, n].item() == pytest.approx(total, abs=1e-5)


def test_advantages_equal_those_of_sb3s_buffer() -> None:
    rollout = random_rollout()
    rollout.compute_advantages(rollout.rewards, value)
    theirs = RolloutBuffer(T, OBSERVATIONS, ACTIONS, "cpu", LAMBDA, GAMMA, N)
    starts = np.ones(N)
    for t in range(T):
        # SB3 adds the final observation's discounted value to the reward of a truncated step.
        cut = rollout.truncated[t] & ~rollout.terminated[t]
        bonus = GAMMA * value(rollout.next_observations[t]) * cut
        theirs.add(
            rollout.observations[t].numpy(),
            rollout.actions[t].numpy(),
            (rollout.rewards[t] + bonus).numpy(),
            starts,
            rollout.values[t],
            rollout.log_probs[t],
        )
        starts = rollout.dones[t].numpy()
    last = value(rollout.next_observations[-1])
    theirs.compute_returns_and_advantage(last, rollout.dones[-1].numpy())
    np.testing.assert_allclose(rollout.advantages.numpy(), theirs.advantages, atol=1e-5)
    np.testing.assert_allclose(rollout.returns.numpy(), theirs.returns, atol=1e-5)


def test_truncation_bootstraps_and_termination_does_not() -> None:
    rollout = random_rollout()
    rollout.compute_advantages(rollout.rewards, value)
    assert rollout.terminated.any()
    assert (rollout.truncated & ~rollout.terminated).any()
    only_cut = rollout.truncated & ~rollout.terminated
    assert (rollout.next_values[rollout.terminated] == 0).all()
    final = value(rollout.next_observations)
    assert torch.equal(rollout.next_values[only_cut], final[only_cut])


def test_nothing_flows_across_an_episodes_end() -> None:
    rewards = torch.zeros(3, 1)
    rewards[2] = 1.0
    done = torch.tensor([[False], [True], [False]])
    advantages = gae(rewards, torch.zeros(3, 1), torch.zeros(3, 1), done, GAMMA, LAMBDA)
    assert advantages.flatten().tolist() == [0.0, 0.0, 1.0]


def test_minibatches_hold_every_row_once_with_normalised_advantages() -> None:
    rollout = random_rollout()
    rollout.compute_advantages(rollout.rewards, value)
    features = 2 * rollout.observations
    batches = list(rollout.minibatches(features, 7, torch.Generator().manual_seed(0)))
    advantages = torch.cat([batch.advantages for batch in batches])
    assert advantages.mean().abs() < 1e-6
    assert advantages.std().item() == pytest.approx(1.0, abs=1e-4)
    seen = torch.cat([batch.features for batch in batches])
    rows = features.flatten(0, 1)
    assert len(seen) == T * N
    assert torch.equal(seen.sort(0).values, rows.sort(0).values)


def test_episode_meter_adds_up_whole_episodes_across_rollouts() -> None:
    meter = EpisodeMeter(N, torch.device("cpu"))
    rollouts = [random_rollout(seed) for seed in (1, 2)]
    found = []
    for r in rollouts:
        for t in range(T):
            end = (r.terminated[t], r.truncated[t], r.next_observations[t])
            infos = meter.add(Step(r.next_observations[t], r.rewards[t], *end))
            assert ["episode" in info for info in infos] == r.dones[t].tolist()
        found += meter.finished()
    rewards = torch.cat([rollout.rewards for rollout in rollouts]).double()
    dones = torch.cat([rollout.dones for rollout in rollouts])
    expected = []
    start = [0] * N
    for t in range(2 * T):
        for n in range(N):
            if dones[t, n]:
                expected.append((rewards[start[n] : t + 1, n].sum().item(), t + 1 - start[n]))
                start[n] = t + 1
    assert [length for _, length in found] == [length for _, length in expected]
    assert [r for r, _ in found] == pytest.approx([r for r, _ in expected])


def test_scaled_rewards_have_discounted_sums_of_unit_deviation() -> None:
    generator = torch.Generator().manual_seed(0)
    rewards = 50.0 * torch.randn(2000, 4, generator=generator)
    dones = torch.rand(2000, 4, generator=generator) < 0.01
    scale = RewardScale(4, GAMMA, torch.device("cpu"))
    sums = torch.zeros(4)
    collected = []
    for scaled, done in zip(scale(rewards, dones), dones, strict=True):
        sums = GAMMA * sums + scaled
        collected.append(sums)
        sums = torch.where(done, 0.0, sums)
    assert torch.stack(collected).std().item() == pytest.approx(1.0, abs=0.02)


def test_scaling_keeps_the_sign_and_the_order_of_rewards() -> None:
    scale = RewardScale(1, GAMMA, torch.device("cpu"))
    rewards = torch.tensor([[3.0], [-1.0], [0.0], [2.0]])
    scaled = scale(rewards, torch.zeros(4, 1, dtype=torch.bool))
    assert torch.equal(scaled.argsort(0), rewards.argsort(0))
    assert torch.equal(scaled.sign(), rewards.sign())
