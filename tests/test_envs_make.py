"""envs.make: the right engine, and one sentence for each wrong argument."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

import envs
from envs import toy
from envs.gymnasium_engine import GymnasiumEnv
from envs.native import NativeEnv


@pytest.mark.parametrize(
    ("id", "backend", "engine"),
    [
        ("Hopper-v5", "auto", NativeEnv),
        ("Hopper-v5", "native", NativeEnv),
        ("Hopper-v5", "gymnasium", GymnasiumEnv),
        ("Pendulum-v1", "auto", GymnasiumEnv),
        (toy.ID, "auto", toy.PointMass),
        (toy.ID, "gymnasium", GymnasiumEnv),
    ],
)
def test_engine_for_each_task(id: str, backend: envs.Backend, engine: type) -> None:
    env = envs.make(id, num_envs=2, backend=backend, device="cpu", seed=5)
    assert type(env) is engine
    assert env.id == id
    assert torch.equal(env.reset(), env.reset(seed=5))
    env.close()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"num_envs": 0}, "num_envs is 0"),
    ({"num_envs": -3, "id": toy.ID}, "num_envs is -3"),
    ({"num_envs": 0, "id": "Pendulum-v1"}, "num_envs is 0"),
    ({"num_envs": 2, "threads": 3}, "threads is 3 for 2 environments"),
    ({"threads": 0}, "threads is 0"),
    ({"seed": -1}, "seed is -1"),
    ({"seed": 2**32}, "seed is 4294967296"),
    ({"seed": -1, "id": toy.ID}, "seed is -1"),
    ({"seed": -1, "id": "Pendulum-v1"}, "seed is -1"),
    ({"backend": "turbo"}, "backend is 'turbo'; choose one of auto, native"),
    ({"backend": "toy"}, "toy engine does not know 'Ant-v5', only toy/PointMass-v0"),
    ({"backend": "native", "id": "Pendulum-v1"}, "native engine does not know 'Pendulum-v1'"),
    ({"id": "Nope-v0"}, "Gymnasium cannot make 'Nope-v0': .*registers it, my_module:My-v0"),
    ({"id": "nomodule:X-v0"}, "Gymnasium cannot make 'nomodule:X-v0'"),
    ({"id": ""}, "Gymnasium cannot make ''"),
    ({"id": "GymV21Environment-v0"}, "Gymnasium cannot make .*; give the id of an installed task"),
    ({"id": "Pendulum"}, "'Pendulum' names no version of the task; give Pendulum-v1"),
    ({"id": "CartPole-v1"}, "action space of CartPole-v1 is Discrete"),
    ({"id": "FrozenLake-v1"}, "observation space of FrozenLake-v1 is Discrete"),
    ({"device": "gpu"}, "device is 'gpu'"),
    ({"device": "meta"}, "device is 'meta', which torch cannot use here"),
]


@pytest.mark.parametrize(("settings", "sentence"), WRONG)
def test_wrong_settings_are_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        envs.make(**({"id": "Ant-v5", "device": "cpu"} | settings))


def test_cuda_without_a_gpu_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="torch sees no GPU"):
        envs.make("Ant-v5", device="cuda")


def test_import_leaves_simulators_alone() -> None:
    code = "import sys, envs; assert not {'mujoco', 'stable_baselines3'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
