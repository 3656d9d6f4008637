"""The contract of envs.batched, as laws that every engine keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gymnasium as gym
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import Tensor

from envs import toy
from envs.batched import BatchedEnv, Step
from envs.gymnasium_engine import GymnasiumEnv
from envs.native import NativeEnv
from envs.sb3 import EngineVecEnv, VecEnvEngine
from envs.specs import TASKS
from envs.warp import WarpEnv

N = 5
Make = Callable[[int], BatchedEnv]  # seed to engine

SHORT_HOPPER = replace(TASKS["Hopper-v5"], time_limit=32)
SHORT_ANT = replace(TASKS["Ant-v5"], time_limit=32)


def dummy_vec_env(seed: int) -> DummyVecEnv:
    vec_env = DummyVecEnv([lambda: gym.make(toy.ID)] * N)
    vec_env.seed(seed)
    return vec_env


ENGINES: dict[str, Make] = {
    "native": lambda seed: NativeEnv(SHORT_HOPPER, N, seed=seed, threads=2),
    "warp": lambda seed: WarpEnv(SHORT_ANT, N, seed=seed),
    "toy": lambda seed: toy.PointMass(N, seed=seed),
    "gymnasium": lambda seed: GymnasiumEnv(toy.ID, N, seed=seed),
    "vec_env": lambda seed: VecEnvEngine(dummy_vec_env(seed)),
    "both_ways": lambda seed: VecEnvEngine(EngineVecEnv(toy.PointMass(N, seed=seed))),
}
TOYS = [name for name in ENGINES if name not in ("native", "warp")]

engines = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)


def random_actions(env: BatchedEnv, steps: int) -> Tensor:
    low, high = torch.tensor(env.action_space.low), torch.tensor(env.action_space.high)
    return low + torch.rand(steps, N, len(low)) * (high - low)


def rollout(env: BatchedEnv, actions: Tensor) -> Step:
    """The steps, each field stacked over time."""
    steps = [env.step(action) for action in actions]
    return Step(*(torch.stack(field) for field in zip(*steps, strict=True)))


def equal(ours: Step, others: Step) -> bool:
    return all(torch.equal(a, b) for a, b in zip(ours, others, strict=True))


@engines
def test_spaces_are_flat_float32_boxes(make: Make) -> None:
    env = make(0)
    for space in (env.observation_space, env.action_space):
        assert isinstance(space, spaces.Box)
        assert space.dtype == "float32"
        assert len(space.shape) == 1
    assert env.num_envs == N
    assert env.id in (toy.ID, "Hopper-v5", "Ant-v5")
    env.close()


@engines
def test_shapes_types_and_device(make: Make) -> None:
    env = make(0)
    o = env.observation_space.shape[0]
    obs = env.reset()
    assert obs.shape == (N, o)
    assert obs.dtype == torch.float32
    for action in random_actions(env, 3):
        step = env.step(action)
        assert step.obs.shape == step.final_obs.shape == (N, o)
        assert step.reward.shape == step.terminated.shape == step.truncated.shape == (N,)
        assert step.obs.dtype == step.final_obs.dtype == step.reward.dtype == torch.float32
        assert step.terminated.dtype == step.truncated.dtype == torch.bool
        assert all(x.device == env.device for x in step)
    env.close()


@engines
def test_autoreset_happens_in_the_same_step(make: Make) -> None:
    env = make(0)
    env.reset()
    steps = rollout(env, random_actions(env, 100))
    ended = steps.terminated | steps.truncated
    assert ended.any(0).all(), "every environment ends an episode"
    assert torch.equal(steps.obs[~ended], steps.final_obs[~ended])
    assert (steps.obs[ended] != steps.final_obs[ended]).any(-1).all()
    env.close()


@engines
def test_time_limit_truncates(make: Make) -> None:
    env = make(0)
    obs = env.reset()
    lengths = torch.zeros(N, dtype=torch.int64)
    seen, width = 0, env.action_space.shape[0]
    for _ in range(70):
        action = toy.expert_action(obs) if env.id == toy.ID else torch.zeros(N, width)
        step = env.step(action)
        obs = step.obs
        lengths += 1
        assert torch.equal(step.truncated, lengths == toy.TIME_LIMIT)
        seen += int(step.truncated.sum())
        lengths[step.terminated | step.truncated] = 0
    assert seen > 0
    env.close()


@engines
def test_same_seed_same_episodes(make: Make) -> None:
    one, other = make(3), make(8)
    actions = random_actions(one, 50)
    assert torch.equal(one.reset(), other.reset(seed=3))
    assert equal(rollout(one, actions), rollout(other, actions))
    continued = one.reset()
    assert not torch.equal(continued, one.reset()), "without a seed the stream goes on"
    assert torch.equal(one.reset(seed=4)[:-1], other.reset(seed=3)[1:]), "seed + i"
    one.close()
    other.close()


@engines
def test_returned_tensors_belong_to_the_caller(make: Make) -> None:
    env, spoiled = make(0), make(0)
    env.reset()
    spoiled.reset().fill_(torch.nan)
    kept: list[tuple[Step, Step]] = []
    for action in random_actions(env, 40):
        given = action.clone()
        step, twin = env.step(action), spoiled.step(action)
        assert equal(step, twin)
        assert torch.equal(action, given)
        kept.append((step, Step(*(x.clone() for x in step))))
        for x in twin:
            x.zero_()
    assert all(equal(step, copy) for step, copy in kept)
    env.close()
    spoiled.close()


@engines
def test_actions_are_clipped_to_the_box(make: Make) -> None:
    env, other = make(0), make(0)
    env.reset()
    other.reset()
    high = torch.tensor(env.action_space.high).expand(N, -1)
    assert equal(env.step(high + 5.0), other.step(high))
    assert equal(env.step(-(high + 5.0)), other.step(-high))
    env.close()
    other.close()


@engines
def test_wrong_action_shape_is_a_sentence(make: Make) -> None:
    env = make(0)
    env.reset()
    a = env.action_space.shape[0]
    for wrong in (torch.zeros(N, a + 1), torch.zeros(N - 1, a), torch.zeros(a)):
        with pytest.raises(ValueError, match=rf"have shape .*; give \({N}, {a}\)"):
            env.step(wrong)
    env.close()


@engines
@pytest.mark.filterwarnings("ignore:.*(not within|NaN value)")  # Gymnasium notices, too
def test_nan_action_does_not_crash(make: Make) -> None:
    env = make(0)
    env.reset()
    action = random_actions(env, 1)[0]
    action[0] = torch.nan
    step = env.step(action)
    assert step.final_obs[1:].isfinite().all()
    assert env.step(random_actions(env, 1)[0]).obs[1:].isfinite().all()
    env.close()


@engines
def test_state_is_exact_or_refused(make: Make) -> None:
    env, twin = make(0), make(1)
    env.reset()
    twin.reset()
    rollout(env, random_actions(env, 20))
    if not isinstance(env, NativeEnv | toy.PointMass):
        with pytest.raises(RuntimeError, match="cannot copy its simulation state"):
            env.get_state()
        with pytest.raises(RuntimeError, match="cannot restore"):
            env.set_state({})
    else:
        state = env.get_state()
        assert all(x.device.type == "cpu" for x in state.values())
        actions = random_actions(env, 60)
        expected = rollout(env, actions)
        twin.set_state(state)
        assert equal(rollout(twin, actions), expected)
        assert (expected.terminated | expected.truncated).any()
    env.close()
    twin.close()


@pytest.mark.parametrize("name", TOYS)
def test_all_engines_agree_on_the_toy(name: str) -> None:
    env, reference = ENGINES[name](6), toy.PointMass(N, seed=6)
    assert torch.equal(env.reset(), reference.reset())
    actions = random_actions(env, 100)
    assert equal(rollout(env, actions), rollout(reference, actions))
    env.close()


def test_expert_of_the_toy_is_far_above_random() -> None:
    env = toy.PointMass(256)
    obs = env.reset()
    total = torch.zeros(256)
    for _ in range(toy.TIME_LIMIT):
        step = env.step(toy.expert_action(obs))
        assert not step.terminated.any()
        obs, total = step.obs, total + step.reward
    assert step.truncated.all()
    assert total.mean() > 27.0


def test_toy_renders_without_opengl() -> None:
    env = gym.make(toy.ID, render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.step(env.action_space.sample())
    assert first.shape == (96, 96, 3)
    assert (env.render() != first).any()
    env.close()
