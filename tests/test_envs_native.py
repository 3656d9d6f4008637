"""The native engine: Gymnasium's numbers, whatever the threads, before and after a restore."""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from envs.batched import Step
from envs.native import NativeEnv, load_model
from envs.specs import TASKS

N = 8
# Short enough that episodes are truncated, long enough that random actions make them fall.
LIMITS = {"Ant-v5": 60, "Humanoid-v5": 20, "HalfCheetah-v5": 60, "Hopper-v5": 20, "Walker2d-v5": 20}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder: MuJoCo writes MUJOCO_LOG.TXT where it is when it warns."""
    monkeypatch.chdir(tmp_path)


def random_actions(env: NativeEnv, steps: int, seed: int = 0) -> Tensor:
    low, high = torch.tensor(env.action_space.low), torch.tensor(env.action_space.high)
    noise = torch.rand(steps, N, len(low), generator=torch.Generator().manual_seed(seed))
    return low + noise * (high - low)


def rollout(env: NativeEnv, actions: Tensor) -> list[Tensor]:
    """Each field of the steps, stacked: obs, reward, terminated, truncated, final_obs."""
    steps = [env.step(action) for action in actions]
    return [torch.stack(field) for field in zip(*steps, strict=True)]


def equal(ours: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, others, strict=True))


def gymnasium_rollout(id: str, limit: int, seed: int, actions: Tensor) -> list[Tensor]:
    envs = [gym.make(id, max_episode_steps=limit) for _ in range(N)]
    for i, env in enumerate(envs):
        env.reset(seed=seed + i)
    steps = []
    for action in actions.numpy():
        rows = [env.step(action[i])[:4] for i, env in enumerate(envs)]
        final, reward, terminated, truncated = (np.stack(x) for x in zip(*rows, strict=True))
        obs = final.copy()
        for i in (terminated | truncated).nonzero()[0]:
            obs[i] = envs[i].reset()[0]
        steps.append((obs, reward, terminated, truncated, final))
    for env in envs:
        env.close()
    stacked = [torch.from_numpy(np.stack(x)) for x in zip(*steps, strict=True)]
    return [x.float() if x.is_floating_point() else x for x in stacked]


@pytest.mark.parametrize(("id", "limit"), LIMITS.items())
def test_equals_gymnasium_bit_for_bit(id: str, limit: int) -> None:
    env = NativeEnv(replace(TASKS[id], time_limit=limit), N, seed=3, threads=2)
    first = env.reset()
    alone = gym.make(id)
    assert torch.equal(first[1], torch.tensor(alone.reset(seed=4)[0], dtype=torch.float32))
    actions = random_actions(env, 200)
    ours = Step(*rollout(env, actions))
    assert equal(list(ours), gymnasium_rollout(id, limit, 3, actions))
    assert ours.truncated.any(), "the run must contain resets"
    assert ours.terminated.any() or id == "HalfCheetah-v5"
    alone.close()
    env.close()


@pytest.mark.parametrize("id", TASKS)
def test_task_agrees_with_its_gymnasium_environment(id: str) -> None:
    task, env, official = TASKS[id], NativeEnv(TASKS[id], 1), gym.make(id)
    assert official.spec is not None
    assert official.spec.max_episode_steps == task.time_limit
    assert load_model(task).opt.timestep == task.timestep
    assert official.unwrapped.dt == task.dt
    assert official.observation_space.shape == env.observation_space.shape
    assert official.action_space == env.action_space
    official.close()


@pytest.mark.parametrize("id", ["Ant-v5", "Humanoid-v5"])
def test_number_of_threads_changes_nothing(id: str) -> None:
    one, two = (NativeEnv(replace(TASKS[id], time_limit=9), N, threads=n) for n in (1, 2))
    assert torch.equal(one.reset(), two.reset())
    actions = random_actions(one, 30)
    assert equal(rollout(one, actions), rollout(two, actions))
    two.close()


@pytest.mark.parametrize("id", ["Ant-v5", "Humanoid-v5"])
def test_restored_state_continues_bit_for_bit(id: str) -> None:
    task = replace(TASKS[id], time_limit=50)
    env = NativeEnv(task, N, seed=1, threads=2)
    env.reset()
    actions = random_actions(env, 100)
    before = rollout(env, actions[:30])
    state = env.get_state()
    kept = {name: x.clone() for name, x in state.items()}
    expected = rollout(env, actions[30:])
    assert (expected[2] | expected[3]).any(0).all(), "every environment resets after the restore"
    twin = NativeEnv(task, N, seed=99, threads=1)
    twin.reset()
    rollout(twin, actions[:7])
    assert torch.equal(twin.set_state(state), before[0][-1])
    assert equal(rollout(twin, actions[30:]), expected)
    assert all(torch.equal(state[name], kept[name]) for name in kept), "the state is the caller's"
    env.close()


def test_foreign_state_is_refused_before_anything_changes() -> None:
    env = NativeEnv(TASKS["Hopper-v5"], N)
    env.reset()
    mine = env.get_state()
    for other in (NativeEnv(TASKS["Hopper-v5"], 2), NativeEnv(TASKS["Walker2d-v5"], N)):
        other.reset()
        with pytest.raises(ValueError, match=r"saved simulation state has .* as 'qpos'.*Hopper-v5"):
            env.set_state(other.get_state())
    with pytest.raises(ValueError, match="has nothing as 'random'"):
        env.set_state({name: x for name, x in mine.items() if name != "random"})
    assert all(torch.equal(x, mine[name]) for name, x in env.get_state().items())


@pytest.mark.parametrize("id", ["Ant-v5", "Humanoid-v5"])
def test_nan_action_is_what_gymnasium_makes_of_it(id: str, tmp_path: Path) -> None:
    env, official = NativeEnv(TASKS[id], N), gym.make(id, disable_env_checker=True)
    env.reset(seed=0)
    official.reset(seed=0)
    action = random_actions(env, 1)[0]
    action[0, 3] = torch.nan
    step = env.step(action)
    assert not list(tmp_path.iterdir()), "MuJoCo had nothing to warn of"
    obs, reward, terminated, _, _ = official.step(action[0].numpy())
    assert torch.equal(step.final_obs[0], torch.tensor(obs, dtype=torch.float32))
    assert step.reward[0].isnan()
    assert np.isnan(reward)
    assert step.terminated[0] == terminated
    assert step.reward[1:].isfinite().all()
    official.close()


def threads_after(seconds: float, at_most: int) -> int:
    """Number of threads once it is at most that, or after so many seconds."""
    end = time.monotonic() + seconds
    while threading.active_count() > at_most and time.monotonic() < end:
        time.sleep(0.01)
    return threading.active_count()


@pytest.mark.parametrize("how", ["close", "garbage"])
def test_threads_end_with_the_engine(how: str) -> None:
    before = threading.active_count()
    env = NativeEnv(TASKS["Hopper-v5"], N, threads=3)
    env.reset()
    env.step(random_actions(env, 1)[0])
    assert threading.active_count() > before
    if how == "close":
        env.close()
        with pytest.raises(RuntimeError, match="after shutdown"):
            env.step(random_actions(env, 1)[0])
    del env
    gc.collect()
    assert threads_after(5.0, before) <= before


def test_default_threads_never_exceed_environments() -> None:
    assert NativeEnv(TASKS["Hopper-v5"], 1).threads == 1
