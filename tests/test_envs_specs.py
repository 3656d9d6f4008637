"""Task descriptions: pure functions that any engine on any device can use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from envs.native import NativeEnv
from envs.specs import TASKS, Physics, Task, between, numpy_sum

BODIES, NQ, NV, A = 14, 24, 23, 17


def physics(device: str, dtype: torch.dtype, n: int = 3) -> Physics:
    shapes = [(n, NQ), (n, NV), (n, BODIES, 3), (n, BODIES, 3), (n, BODIES, 10)]
    shapes += [(n, BODIES, 6), (n, NV), (n, BODIES, 6), (BODIES,)]
    return Physics(*(torch.rand(shape, dtype=dtype, device=device) for shape in shapes))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sum_is_numpys_to_the_last_bit(dtype: type) -> None:
    random = np.random.default_rng(0)
    for width in range(1, 129):
        x = random.standard_normal((5, width)).astype(dtype)
        expected = np.stack([row.sum() for row in x])
        np.testing.assert_array_equal(numpy_sum(torch.from_numpy(x)).numpy(), expected)


def test_between_is_strict_and_refuses_nan() -> None:
    x = torch.tensor([1.0, 1.5, 2.0, torch.nan, torch.inf])
    assert between(x, 1.0, 2.0).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_functions_are_batched_and_keep_the_precision(task: Task, dtype: torch.dtype) -> None:
    state, action = physics("cpu", dtype), torch.rand(3, A)
    velocity, healthy = task.position(state), task.healthy(state)
    obs, reward = task.observe(state), task.reward(state, action, velocity, healthy)
    assert obs.dtype == reward.dtype == velocity.dtype == dtype
    assert velocity.shape == reward.shape == healthy.shape == (3,)
    assert healthy.dtype == torch.bool
    alone = Physics(*(x[1:2] for x in state[:-1]), state.body_mass)
    assert torch.equal(task.observe(alone), obs[1:2])
    assert torch.equal(task.reward(alone, action[1:2], velocity[1:2], healthy[1:2]), reward[1:2])


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_functions_never_wait_for_the_device(task: Task) -> None:
    # A meta tensor has no values: whatever asked for one on the host would raise.
    state = physics("meta", torch.float32)
    action = torch.empty(3, A, device="meta")
    velocity, healthy = task.position(state), task.healthy(state)
    for x in (task.observe(state), task.reward(state, action, velocity, healthy), healthy):
        assert x.device.type == "meta"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_layout_is_the_observations(task: Task) -> None:
    env = NativeEnv(task, num_envs=2, threads=1)
    obs = env.reset()
    for _ in range(5):
        obs = env.step(torch.full((2, *env.action_space.shape), 0.1)).obs
    for name, part in task.parts().items():
        field = getattr(env._physics, name).flatten(1).float()
        shown = obs[:, part]
        expected = field[:, -shown.shape[1] :]
        if name == "cfrc_ext" and task.id == "Ant-v5":
            expected = expected.clamp(-1, 1)
        assert torch.equal(shown, expected), name
    assert part.stop == obs.shape[1]


@pytest.mark.parametrize("id", ["Ant-v5", "Humanoid-v5", "Hopper-v5", "Walker2d-v5"])
def test_nan_height_is_unhealthy(id: str) -> None:
    state = physics("cpu", torch.float64)
    state.qpos[0] = torch.nan
    assert not TASKS[id].healthy(state)[0]
