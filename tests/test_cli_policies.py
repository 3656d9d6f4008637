"""``gail evaluate``, ``render``, ``collect``, ``export`` and ``doctor`` on a run's policy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from toy_runs import sentence, train

from envs import toy
from gail import shipped
from gail.cli import main
from gail.cli.evaluate import score_table
from gail.demonstrations import Demonstrations
from gail.evaluation import Evaluation


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
        "collect --env toy/PointMass-v0 --out a.npz --drop-sensors 0.5",
        "collect --policy missing.zip --out a.npz",
        "data inspect missing.npz",
        "export missing.zip --out a.onnx",
        "export file --out a.onnx",
        "export run --out a.pt",
        "export run --out file/a.onnx",
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


def test_evaluate_repeats_the_runs_score(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run.parent / "score.json"
    assert main(["evaluate", str(run), "--episodes", "3", "--out", str(out)]) == 0
    again, first = (json.loads(p.read_text()) for p in (out, run / "evaluation.json"))
    assert again["returns"] == first["returns"]
    assert again["normalised_score"] == first["normalised_score"]
    assert "normalised score" in capsys.readouterr().out
    newest = run / "checkpoints" / "step-000000000512.zip"
    words = ["evaluate", str(newest), "--episodes", "3", "--out", str(out)]
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert json.loads(out.read_text())["returns"] == first["returns"]


def test_a_score_that_cannot_be_normalised_says_why() -> None:
    for expert, why in ((None, "is unknown"), (0.0, "is that of random actions")):
        score = Evaluation("Toy-v0", [1.0], [5], [False], random_return=0.0, expert_return=expert)
        row = dict(zip(*(column.cells for column in score_table(score).columns), strict=True))
        assert row["normalised score"] == f"– (the expert's return {why})"


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
    assert main([*words, "--whole", "--overwrite"]) == 0
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
        assert main([*words, "--steps", "6", "--overwrite"]) == 0
        assert film.is_file()


KEPT = {
    "collect": "collect --policy run --episodes 1 --out mine.npz",
    "render": "render run --steps 4 --size 32 --out mine.gif",
    "export": "export run --out mine.onnx",
}


@pytest.mark.parametrize("command", KEPT)
def test_a_file_that_exists_is_kept_unless_told(
    command: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parent)
    words = KEPT[command].split()
    mine = Path(words[-1])
    mine.write_text("mine")
    assert main(words) == 2
    assert "--overwrite" in sentence(capsys.readouterr().err)
    assert mine.read_text() == "mine"
    assert main([*words, "--overwrite"]) == 0
    assert mine.read_bytes() != b"mine"


def test_a_shipped_policy_is_shown_by_its_task(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "FOLDERS", (run,))
    film = run.parent / "film.gif"
    words = ["render", "--out", str(film), "--size", "32", "--steps", "4", "--pretrained"]
    shutil.copy(run / "policy.zip", run / "hopper-v5-expert.zip")
    assert main([*words, toy.ID]) == 2
    told = sentence(capsys.readouterr().err)
    assert f"No policy of {toy.ID} is shipped (there are: hopper-v5)" in told
    shutil.copy(run / "policy.zip", run / "toy-pointmass-v0-imitator.zip")
    assert main([*words, toy.ID]) == 0
    assert film.is_file()


@pytest.mark.parametrize("words", ["render", "render run --pretrained Humanoid-v5"])
def test_render_shows_one_policy(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    assert "shows one policy" in sentence(capsys.readouterr().err)


def test_an_imitator_goes_before_an_expert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDERS", (tmp_path / "checkout", tmp_path / "wheel"))
    for folder, name in (("wheel", "ant-v5-expert.zip"), ("checkout", "ant-v5-imitator.zip")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("")
        file = shipped.policy_file("Ant-v5")
        assert (file.name, shipped.role(file)) == (name, name[7:-4])


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
    for task in ("ant-v5", "humanoid-v5", "toy-pointmass-v0"):
        assert f"{task}.npz" in told
    assert told.count("not usable") >= 2
