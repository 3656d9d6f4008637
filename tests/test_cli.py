"""The command ``gail``: help, defaults, and ``gail train`` from end to end, on the toy task."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from toy_runs import sentence, train

from gail.cli import main, parse
from gail.demonstrations import Demonstrations

HEAVY = {"torch", "gymnasium", "mujoco", "stable_baselines3", "matplotlib", "imageio", "numpy"}


# --- help and defaults --------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["data", "inspect", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom gail.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        f"assert not {HEAVY!r} & set(sys.modules), {HEAVY!r} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    "command",
    [
        "train",
        "evaluate",
        "render",
        "collect",
        "export",
        "data",
        "data convert",
        "doctor",
        "generate",
        "bench",
        "report",
    ],
)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert "usage: gail" in capsys.readouterr().out


def test_train_has_the_flags_that_everything_relies_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    told = capsys.readouterr().out
    words = "env demonstrations trajectories steps seed out device backend resume"
    for flag in words.split():
        assert f"--{flag}" in told


def test_defaults_are_the_tasks_preset() -> None:
    assert parse(["train"]).env == "Ant-v5"
    assert parse(["train"]).steps == 1_500_000
    humanoid = parse(["train", "--env=Humanoid-v5", "--ppo.learning-rate", "1e-4"])
    assert (humanoid.ppo.kl_target, humanoid.ppo.learning_rate) == (0.02, 1e-4)
    assert parse(["train", "--method", "bc"]).steps == 0
    assert parse(["train", "--method", "ppo"]).ppo != parse(["train"]).ppo


def test_steps_are_written_in_any_way() -> None:
    for word in ("1500000", "1_500_000", "1.5e6"):
        assert parse(["train", "--steps", word]).steps == 1_500_000
    for word in ("1.5", "many", "inf"):
        with pytest.raises(SystemExit):
            main(["train", "--steps", word])


def test_unknown_flags_end_with_code_2() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--stepz", "3"])
    assert stop.value.code == 2


# --- a run --------------------------------------------------------------------------------


def test_a_run_writes_everything(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert {"config.json", "progress.csv", "evaluation.json", "policy.zip"} <= names
    assert {"rollout.mp4", "rollout.png", "report.html", "checkpoints"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert (finished / "checkpoints" / "step-000000000512.zip").is_file()
    assert not [name for name in names if name.startswith(".")]


def test_the_score_is_on_file(finished: Path) -> None:
    score = json.loads((finished / "evaluation.json").read_text())
    assert score["episodes"] == 3
    assert score["fall_rate"] in (0.0, 1 / 3, 2 / 3, 1.0)
    share = score["mean_return"] - score["random_return"]
    whole = score["expert_return"] - score["random_return"]
    assert score["normalised_score"] == pytest.approx(share / whole)


def test_the_configuration_explains_the_run(finished: Path, expert: Path) -> None:
    config = json.loads((finished / "config.json").read_text())
    assert config["flags"]["ppo"]["num_envs"] == 8
    assert config["flags"]["seed"] == 0
    assert config["demonstrations"]["hash"] == Demonstrations.load(expert).hash
    assert {"versions", "commit", "hardware", "command_line", "engine"} <= config.keys()


def test_the_curves_have_a_row_an_iteration(finished: Path) -> None:
    with (finished / "progress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["time/total_timesteps"]) for row in rows] == [128, 256, 384, 512]
    assert {"rollout/ep_rew_mean", "train/approx_kl", "discriminator/loss"} <= rows[-1].keys()


@pytest.mark.parametrize("method", ["bc", "ppo"])
def test_the_baselines_are_the_same_command(
    method: str, expert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--demonstrations", expert) if method == "bc" else ("--steps", 256)
    out = ("--out", tmp_path / "run", "--no-video", "--episodes", 2)
    assert train("--method", method, *data, *out) == 0
    told = capsys.readouterr().err
    assert f"--method {method} does not use --discriminator.hidden" in told
    assert ("--cloning.steps" in told) == (method == "ppo")
    score = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (score["normalised_score"] is None) == (method == "ppo")


def test_without_opengl_the_result_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "off")
    words = ["--env", "Hopper-v5", "--method", "ppo", "--steps", "64", "--episodes", "1"]
    small = ["--ppo.num-envs", "2", "--ppo.n-steps", "32", "--ppo.net-arch", "8"]
    assert main(["train", *words, *small, "--out", str(tmp_path / "run")]) == 0
    assert "apt-get install" in capsys.readouterr().err
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"policy.zip", "evaluation.json"} <= names
    assert "rollout.mp4" not in names


def test_divergence_ends_with_code_1_and_keeps_the_checkpoint(
    expert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    wild = ("--ppo.log-std-init", 1000, "--steps", 512, "--out", out)
    assert train("--demonstrations", expert, *wild) == 1
    assert sentence(capsys.readouterr().err)
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["step-000000000000.zip"]
