"""The command ``gail`` from end to end, on the toy task in seconds."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experts import point_mass_demonstrations

from envs import toy
from gail import checkpoint
from gail.cli import main, parse
from gail.demonstrations import Demonstrations
from gail.playing import RandomPolicy, make, play

SMALL = (
    *("--ppo.num-envs", "8", "--ppo.n-steps", "16", "--ppo.batch-size", "64"),
    *("--ppo.net-arch", "16", "--discriminator.hidden", "16", "--cloning.steps", "20"),
    *("--discriminator.updates", "2", "--discriminator.batch-size", "64"),
)
HEAVY = {"torch", "gymnasium", "mujoco", "stable_baselines3", "matplotlib", "imageio", "numpy"}


def train(*arguments: object) -> int:
    """``gail train`` on the toy task, small."""
    return main(["train", "--env", toy.ID, *SMALL, *map(str, arguments)])


def weights(path: Path) -> dict[str, Any]:
    _, sections = checkpoint.read(path)
    return {f"{s}.{k}": v for s, tensors in sections.items() for k, v in tensors.items()}


def same_weights(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all((first[k] == second[k]).all() for k in first)


@pytest.fixture(scope="module")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "expert.npz"
    point_mass_demonstrations(4).save(path)
    return path


@pytest.fixture(scope="module")
def finished(expert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that ended."""
    out = tmp_path_factory.mktemp("runs") / "run"
    code = train("--demonstrations", expert, "--steps", 512, "--episodes", 3, "--out", out)
    assert code == 0
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


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
    assert parse(["train"]).steps == 3_000_000
    humanoid = parse(["train", "--env=Humanoid-v5", "--ppo.learning-rate", "1e-4"])
    assert (humanoid.ppo.kl_target, humanoid.ppo.learning_rate) == (0.02, 1e-4)
    assert parse(["train", "--method", "bc"]).steps == 0
    assert parse(["train", "--method", "ppo"]).ppo != parse(["train"]).ppo


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
def test_the_baselines_are_the_same_command(method: str, expert: Path, tmp_path: Path) -> None:
    data = ("--demonstrations", expert) if method == "bc" else ("--steps", 256)
    out = ("--out", tmp_path / "run", "--no-video", "--episodes", 2)
    assert train("--method", method, *data, *out) == 0
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


# --- resuming -----------------------------------------------------------------------------


def test_a_terminated_run_resumes_bit_for_bit(expert: Path, tmp_path: Path) -> None:
    out, words = tmp_path / "stopped", ("--demonstrations", str(expert), "--no-video")
    endless = ("--steps", "100000000", "--checkpoint-seconds", "0", "--out", str(out))
    process = subprocess.Popen(
        [sys.executable, "-m", "gail", "train", "--env", toy.ID, *SMALL, *words, *endless],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("checkpoints/step-*.zip"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"gail train --resume {out}" in told
    assert "Traceback" not in told
    saved = max(int(path.stem[5:]) for path in out.glob("checkpoints/step-*.zip"))
    steps = ("--steps", saved + 256)
    assert main(["train", "--resume", str(out), *map(str, steps), "--episodes", "50"]) == 0
    reference = tmp_path / "reference"
    assert train(*words, *steps, "--episodes", 0, "--out", reference) == 0
    assert same_weights(out / "policy.zip", reference / "policy.zip")


def test_a_longer_run_continues_after_a_damaged_checkpoint(
    run: Path, expert: Path, tmp_path: Path
) -> None:
    newest = run / "checkpoints" / "step-000000000512.zip"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert main(["train", "--resume", str(run), "--steps", "640"]) == 0
    reference = ("--steps", 640, "--episodes", 0, "--no-video", "--out", tmp_path / "reference")
    assert train("--demonstrations", expert, *reference) == 0
    assert same_weights(run / "policy.zip", tmp_path / "reference" / "policy.zip")
    with (run / "progress.csv").open() as file:
        steps = [int(row["time/total_timesteps"]) for row in csv.DictReader(file)]
    assert steps == [128, 256, 384, 512, 640]
    config = json.loads((run / "config.json").read_text())
    assert config["resumed"][0]["checkpoint"] == "step-000000000000.zip"


def test_a_run_killed_before_its_first_checkpoint_starts_over(run: Path, finished: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "policy.zip").unlink()
    assert main(["train", "--resume", str(run)]) == 0
    assert same_weights(run / "policy.zip", finished / "policy.zip")


# --- wrong input --------------------------------------------------------------------------


def sentence(told: str) -> str:
    """The last line on the standard error stream, which must be ours and the only complaint."""
    complaints = [line for line in told.splitlines() if line.startswith("gail: ")]
    assert len(complaints) == 1, told
    assert told.rstrip().splitlines()[-1] == complaints[0]
    assert "Traceback" not in told
    return complaints[0]


def data_files(folder: Path, expert: Path) -> None:
    """Files that cannot be used, by the names that the cases below use."""
    point_mass_demonstrations(2).save(folder / "good.npz")
    arrays = dict(np.load(expert))
    observed = arrays["observations"].copy()
    observed[3, 1] = np.nan
    np.savez(folder / "nan.npz", **(arrays | {"observations": observed}))
    np.savez(folder / "pickled.npz", observations=np.array([{"a": 1}], dtype=object))
    (folder / "short.npz").write_bytes(expert.read_bytes()[:500])
    (folder / "file").write_text("")
    (folder / "full").mkdir()
    (folder / "full" / "note.txt").write_text("mine")
    hopper = make("Hopper-v5")
    played = play(RandomPolicy(hopper.action_space), "Hopper-v5", 1, seed=1000)
    other = Demonstrations.from_episodes([each.episode for each in played], env_id="Hopper-v5")
    other.save(folder / "hopper.npz")


WRONG = {
    "no file": "--demonstrations missing.npz",
    "not a number": "--demonstrations nan.npz",
    "pickled": "--demonstrations pickled.npz",
    "cut off": "--demonstrations short.npz",
    "another task": "--demonstrations hopper.npz",
    "too many trajectories": "--demonstrations good.npz --trajectories 9",
    "unknown environment": "--demonstrations good.npz --env Nothing-v0",
    "unknown engine": "--demonstrations good.npz --backend magic",
    "engine of other tasks": "--demonstrations good.npz --backend native",
    "unknown device": "--demonstrations good.npz --device abacus",
    "no shipped data": "--env Pendulum-v1",
    "output below a file": "--demonstrations good.npz --out file/run",
    "output holds something": "--demonstrations good.npz --out full",
    "negative steps": "--demonstrations good.npz --steps -5",
    "no environments": "--demonstrations good.npz --ppo.num-envs 0",
    "every 0th step": "--demonstrations good.npz --every 0",
    "cloning with steps": "--demonstrations good.npz --method bc --steps 10",
    "cloning with resets": "--demonstrations good.npz --method bc --expert-resets 0.5",
    "resets in a task without": "--demonstrations good.npz --expert-resets 0.5",
    "reward with trajectories": "--method ppo --trajectories 2",
    "reward with another task's": "--demonstrations hopper.npz --method ppo",
    "reward with every 0th step": "--demonstrations good.npz --method ppo --every 0",
    "no run": "--resume full",
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_and_writes_nothing(
    case: str,
    expert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    data_files(tmp_path, expert)
    before = sorted(tmp_path.rglob("*"))
    assert main(["train", "--env", toy.ID, *WRONG[case].split()]) == 2
    sentence(capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("words", ["--seed 3", "--ppo.learning-rate 0.1", "--method bc", "--out x"])
def test_only_steps_may_change_on_resume(
    words: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["train", "--resume", str(run), *words.split()]) == 2
    assert "only --steps may be changed" in sentence(capsys.readouterr().err)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_resuming_with_other_demonstrations_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "expert.npz", tmp_path / "run"
    point_mass_demonstrations(2, seed=1).save(path)
    words = ("--demonstrations", path, "--no-video", "--episodes", 0, "--out", out)
    assert train(*words, "--steps", 128) == 0
    point_mass_demonstrations(2, seed=2).save(path)
    capsys.readouterr()
    assert main(["train", "--resume", str(out)]) == 2
    assert "hash" in sentence(capsys.readouterr().err)


@pytest.mark.parametrize(
    "words",
    [
        "evaluate missing.zip",
        "evaluate file",
        "evaluate run --env Hopper-v5",
        "evaluate run --episodes 0",
        "evaluate run --demonstrations missing.npz",
        "render run --out film.avi",
        "render run --beside missing.npz",
        "render run --size 7",
        "collect --out a.npz",
        "collect --env toy/PointMass-v0 --out a.txt",
        "collect --policy missing.zip --out a.npz",
        "data inspect missing.npz",
    ],
)
def test_wrong_input_elsewhere_is_one_sentence_too(
    words: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parent)
    (run.parent / "file").write_text("no policy")
    before = sorted(run.parent.rglob("*"))
    assert main(words.split()) == 2
    sentence(capsys.readouterr().err)
    assert sorted(run.parent.rglob("*")) == before


# --- the other commands -------------------------------------------------------------------


def test_evaluate_repeats_the_runs_score(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run.parent / "score.json"
    assert main(["evaluate", str(run), "--episodes", "3", "--out", str(out)]) == 0
    again, first = (json.loads(p.read_text()) for p in (out, run / "evaluation.json"))
    assert again["returns"] == first["returns"]
    assert again["normalised_score"] == first["normalised_score"]
    assert "normalised score" in capsys.readouterr().out
    newest = run / "checkpoints" / "step-000000000512.zip"
    assert main(["evaluate", str(newest), "--episodes", "3", "--out", str(out)]) == 0
    assert json.loads(out.read_text())["returns"] == first["returns"]


def test_collect_makes_demonstrations_that_train_takes(run: Path) -> None:
    mine = run.parent / "mine.npz"
    assert main(["collect", "--policy", str(run), "--episodes", "2", "--out", str(mine)]) == 0
    demonstrations = Demonstrations.load(mine)
    assert demonstrations.env_id == toy.ID
    assert demonstrations.seeds is not None
    assert demonstrations.seeds.tolist() == [1000, 1001]
    out = ("--no-video", "--episodes", 0, "--out", run.parent / "again")
    assert train("--demonstrations", mine, "--steps", 128, *out) == 0


def test_collect_plays_at_random(tmp_path: Path) -> None:
    words = ["collect", "--env", "Hopper-v5", "--episodes", "3", "--out", str(tmp_path / "a.npz")]
    assert main(words) == 0
    assert Demonstrations.load(tmp_path / "a.npz").mujoco_version is not None


def test_collect_can_leave_out_falls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["collect", "--env", toy.ID, "--episodes", "6", "--out", str(tmp_path / "a.npz")]
    assert main(words) == 0
    fell = Demonstrations.load(tmp_path / "a.npz").terminated
    assert 0 < fell.sum() < 6
    assert main([*words, "--whole"]) == 0
    whole = Demonstrations.load(tmp_path / "a.npz")
    assert whole.num_episodes == 6 - fell.sum()
    assert not whole.terminated.any()
    # Random actions fall within a thousand steps of Hopper, always.
    words = ["collect", "--env", "Hopper-v5", "--episodes", "2", "--out", str(tmp_path / "b.npz")]
    assert main([*words, "--whole"]) == 2
    assert "time limit" in capsys.readouterr().err
    assert not (tmp_path / "b.npz").exists()


def test_render_shows_the_expert_beside_the_policy(run: Path) -> None:
    mine, film = run.parent / "mine.npz", run.parent / "film.gif"
    assert main(["collect", "--policy", str(run), "--episodes", "1", "--out", str(mine)]) == 0
    for beside in (mine, run):
        words = ["render", str(run), "--out", str(film), "--beside", str(beside), "--size", "64"]
        assert main([*words, "--steps", "6"]) == 0
        assert film.is_file()


def test_data_looks_at_a_file(expert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "inspect", str(expert)]) == 0
    assert toy.ID in capsys.readouterr().out


def test_doctor_never_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "off")
    assert main(["doctor", "--env", "Nothing-v0"]) == 0
    told = capsys.readouterr().out
    for name in ("Python", "packages", "GPU", "engine", "OpenGL", "shipped data"):
        assert name in told
    assert told.count("not usable") >= 2
