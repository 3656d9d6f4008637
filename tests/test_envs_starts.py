"""Episodes that start in recorded states: what is recorded is what they start with."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

import envs
from envs.native import NativeEnv
from envs.specs import TASKS
from envs.starts import Starts

N = 6


def quiet_actions(env: NativeEnv, steps: int) -> Tensor:
    high = torch.tensor(env.action_space.high)
    noise = torch.rand(steps, N, len(high), generator=torch.Generator().manual_seed(0))
    return 0.3 * high * (2 * noise - 1)


def recorded(id: str, steps: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """Observations, actions and next observations, (T, N, ·), of a few steps without a fall."""
    env = NativeEnv(TASKS[id], N, seed=5, threads=1)
    obs, actions = [env.reset()], quiet_actions(env, steps)
    for action in actions:
        step = env.step(action)
        assert not step.terminated.any()
        obs.append(step.obs)
    return torch.stack(obs[:-1]), actions, torch.stack(obs[1:])


@pytest.mark.parametrize("id", TASKS)
def test_a_reset_to_a_state_reproduces_its_observation(id: str) -> None:
    states = recorded(id)[0].flatten(0, 1)
    env = NativeEnv(TASKS[id], N, threads=2)
    env.start_from(states, 1.0)
    starts = torch.cat([env.reset() for _ in range(5)])
    found = (starts[:, None] == states[None]).all(-1)
    assert found.any(1).all(), "every start is one of the states, in all dimensions"
    assert found.any(0).sum() > N, "and not always the same"


@pytest.mark.parametrize("id", TASKS)
def test_the_simulation_goes_on_from_there_as_it_did(id: str) -> None:
    states, actions, following = recorded(id)
    env = NativeEnv(TASKS[id], N, threads=1)
    for t, i in itertools.product((3, 11), range(N)):
        state, expected = states[t, i], following[t, i]
        if (state.abs() == 10).any():  # Hopper and Walker2d clip velocities there
            continue
        env.start_from(state[None], 1.0)
        env.reset()
        step = env.step(actions[t, i].expand(N, -1))
        assert not step.terminated.any()
        scale = expected.abs().clamp(min=1.0)
        assert ((step.obs - expected).abs() / scale).max() < 1e-4


@pytest.mark.parametrize("id", ["Ant-v5", "Humanoid-v5"])
def test_the_tasks_own_starts_stay_gymnasiums(id: str) -> None:
    states = recorded(id)[0].flatten(0, 1)
    plain, mixed = (NativeEnv(TASKS[id], 1, seed=70) for _ in range(2))
    mixed.start_from(states, 0.5, seed=70)
    own = [plain.reset() for _ in range(20)]
    starts = [mixed.reset() for _ in range(20)]
    drawn = [not (start == states).all(-1).any() for start in starts]
    assert 0 < sum(drawn) < 20
    expected = own[: sum(drawn)]
    found = [start for start, by_task in zip(starts, drawn, strict=True) if by_task]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_probability_zero_is_as_if_never_asked() -> None:
    plain, never = (NativeEnv(TASKS["Ant-v5"], N, seed=3) for _ in range(2))
    never.start_from(torch.zeros(1, 105), 0.0)
    plain.reset(), never.reset()
    for action in quiet_actions(plain, 5):
        plain.step(action), never.step(action)
    one, other = plain.get_state(), never.get_state()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("id", ["Ant-v5", "Humanoid-v5"])
def test_the_share_of_recorded_starts_is_the_probability(id: str) -> None:
    starts = Starts(TASKS[id], recorded(id)[0].flatten(0, 1), 0.3)
    share = np.mean([starts.draw() is not None for _ in range(4000)])
    assert share == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("id", ["Ant-v5", "Humanoid-v5"])
def test_a_restored_engine_draws_the_same_starts(id: str) -> None:
    states = recorded(id)[0].flatten(0, 1)
    task = replace(TASKS[id], time_limit=4)
    first, second = (NativeEnv(task, N, seed=seed) for seed in (1, 2))
    for env in (first, second):
        env.start_from(states, 0.5)
    first.reset()
    actions = quiet_actions(first, 30)
    for action in actions[:10]:
        first.step(action)
    state = first.get_state()
    expected = [first.step(action) for action in actions[10:]]
    second.reset()
    second.set_state(state)
    for action, step in zip(actions[10:], expected, strict=True):
        for a, b in zip(second.step(action), step, strict=True):
            assert torch.equal(a, b)
    with pytest.raises(ValueError, match="nothing as 'starts'"):
        first.set_state({name: x for name, x in state.items() if name != "starts"})


def test_wrong_states_are_told() -> None:
    env = NativeEnv(TASKS["Ant-v5"], N)
    for states in (torch.zeros(3, 27), torch.zeros(0, 105), torch.zeros(105)):
        with pytest.raises(ValueError, match=r"give observations \(M, 105\)"):
            env.start_from(states, 0.5)
    with pytest.raises(ValueError, match=r"probability .* is 1\.5"):
        env.start_from(torch.zeros(3, 105), 1.5)


@pytest.mark.parametrize("id", ["Pendulum-v1", "toy/PointMass-v0"])
def test_other_engines_say_that_they_cannot(id: str) -> None:
    env = envs.make(id, 1, device="cpu")
    with pytest.raises(ValueError, match=r"cannot start .* in recorded states"):
        env.start_from(torch.zeros(1, 3), 0.5)
