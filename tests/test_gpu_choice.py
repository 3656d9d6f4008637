"""Which engine simulates where there is a GPU, where it is missing, and what its failure costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy_runs import sentence, train

import envs
from envs import toy
from envs.native import NativeEnv
from gail.cli import main


@pytest.mark.parametrize(
    ("id", "chosen"),
    [("Ant-v5", "warp"), ("Humanoid-v5", "warp"), ("Hopper-v5", "native"), (toy.ID, "toy")],
)
def test_a_gpu_simulates_what_it_knows(id: str, chosen: str) -> None:
    assert envs.choose_backend(id, device="cuda") == chosen
    assert envs.choose_backend(id, device="cpu") != "warp"


def test_the_processor_stands_in_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gpu = torch.device("cuda", 0)

    def missing(*_: Any) -> Any:
        raise envs.EngineUnavailable("no driver; update it.")

    monkeypatch.setattr(envs, "usable_device", lambda _: gpu)
    monkeypatch.setattr(envs, "_warp", missing)
    env = envs.make("Ant-v5", num_envs=2)
    assert isinstance(env, NativeEnv)
    assert env.device == gpu
    assert "Ant-v5 is simulated on the processor instead: no driver" in caplog.text
    with pytest.raises(envs.EngineUnavailable, match="no driver"):
        envs.make("Ant-v5", num_envs=2, backend="warp")


def test_doctor_says_which_engine_and_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "native for Ant-v5" in told
    assert "not warp: torch sees no GPU here" in told


def test_a_gpu_that_fails_costs_no_more_than_since_the_last_checkpoint(
    expert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    step, calls = toy.PointMass.step, iter(range(10**6))

    def failing(self: toy.PointMass, action: torch.Tensor) -> envs.Step:
        if next(calls) == 40:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nmore")
        return step(self, action)

    words = ("--demonstrations", expert, "--steps", 1024, "--episodes", 0, "--no-video")
    words += ("--checkpoint-seconds", 0, "--out", tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(toy.PointMass, "step", failing)
        assert train(*words) == 1
    told = sentence(capsys.readouterr().err)
    assert "The GPU failed (CUDA error: an illegal memory access was encountered)" in told
    assert f"gail train --resume {tmp_path / 'run'}" in told
    assert main(["train", "--resume", str(tmp_path / "run")]) == 0
