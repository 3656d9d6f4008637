"""What the warp engine cannot do, each in one sentence, before anything is simulated."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import pytest
import torch

pytest.importorskip("mujoco_warp")

import warp

import envs
from envs import warp_checks
from envs.checks import EngineUnavailable
from envs.specs import TASKS
from envs.warp import WarpEnv

ANT = TASKS["Ant-v5"]


def test_an_unknown_task() -> None:
    with pytest.raises(ValueError, match="warp engine does not know 'Hopper-v5', only Ant-v5, Hum"):
        envs.make("Hopper-v5", backend="warp", device="cpu")


def test_too_many_worlds_for_the_memory() -> None:
    with pytest.raises(EngineUnavailable, match=r"100000000 worlds of Ant-v5 need about .* GiB"):
        WarpEnv(ANT, 100_000_000)


@pytest.mark.parametrize("told", ["Failed to allocate 12 bytes", "CUDA out of memory."])
def test_an_allocation_that_fails(told: str) -> None:
    with (
        pytest.raises(EngineUnavailable, match="8 worlds of Ant-v5 did not fit into the memory"),
        warp_checks.memory_may_run_out("Ant-v5", 8, torch.device("cpu")),
    ):
        raise RuntimeError(told)


def test_no_world_and_no_seed() -> None:
    with pytest.raises(ValueError, match="num_envs is 0"):
        WarpEnv(ANT, 0)
    with pytest.raises(ValueError, match="seed is -1"):
        WarpEnv(ANT, 2, seed=-1)


def test_a_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("mujoco_warp"):
            raise ImportError("No module named 'mujoco_warp'")
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "mujoco_warp", raising=False)
    with pytest.raises(EngineUnavailable, match=r"needs the packages .*pip install mujoco-warp"):
        WarpEnv(ANT, 2)


def test_a_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warp, "is_cuda_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    with pytest.raises(EngineUnavailable, match=r"needs an NVIDIA driver for CUDA 12\.4"):
        warp_checks.require_warp(torch.device("cuda"))


def test_a_device_of_another_kind() -> None:
    with pytest.raises(EngineUnavailable, match="computes on cuda and cpu devices"):
        warp_checks.require_warp(torch.device("mps"))
