"""Suites of runs: what is run, what is skipped, what goes on, and what is told in a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gail.bench import METHODS, Run, Suite, grid, runner
from gail.bench.lock import only_writer
from gail.bench.record import write
from gail.bench.runner import run_suite
from gail.bench.score import Score, scores_in
from gail.bench.suites import chosen, toy
from gail.cli import main
from gail.demonstrations import Demonstrations
from gail.errors import GailError
from gail.presets import CloningSettings, PPOSettings, Settings

ROOT = Path(__file__).resolve().parent.parent
TOY = "toy/PointMass-v0"
SMALL = Settings(
    ppo=PPOSettings(num_envs=8, n_steps=16, batch_size=64, net_arch=(16,)),
    cloning=CloningSettings(steps=10, batch_size=64),
)


def small(*methods: Any, **options: Any) -> Suite:
    runs = grid(methods, [TOY], trajectories=[2], steps=256, **options)
    ours = [replace(run, settings=SMALL) if run.method in runner.OURS else run for run in runs]
    return Suite("mine", tuple(ours), episodes=5)


# --- runs ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Score], list[str]]:
    """The toy suite from the command line, every method once."""
    folder, told = tmp_path_factory.mktemp("race"), []
    suite = chosen(toy(), seeds=(0,))
    scores = run_suite(suite, folder / "toy.json", folder / "runs", tell=told.append)
    return folder, scores, told


def test_every_method_is_scored_alike(raced: tuple[Path, list[Score], list[str]]) -> None:
    folder, scores, _ = raced
    assert {score.method for score in scores} == set(METHODS) - {"constant-uncloned"}
    for score in scores:
        assert len(score.returns) == 20
        assert score.evaluation_seed == 10_000
        assert score.expert_return == pytest.approx(scores[0].expert_return)
        assert score.commit
        assert "torch" in score.versions
        assert (score.demonstrations is not None) == METHODS[score.method].imitates  # type: ignore[index]
        assert (score.seconds > 0) == (score.method != "random")
        assert score.steps >= score.asked_steps
        run = folder / "runs" / score.run
        assert json.loads((run / "evaluation.json").read_text())["returns"] == score.returns
        assert (run / "report.html").is_file()
    peer = next(score for score in scores if score.method == "imitation-gail")
    assert "imitation" in peer.versions
    assert peer.settings["settings"]["ppo"]["batch_size"] == 16


def test_methods_that_take_steps_have_both_curves(
    raced: tuple[Path, list[Score], list[str]],
) -> None:
    for score in raced[1]:
        if METHODS[score.method].steps:  # type: ignore[index]
            assert score.curve, score.method
            assert score.scores[0][0] == 0, score.method
            assert all(a < b for (a, _), (b, _) in pairwise(score.scores))


def test_the_raw_scores_are_on_file(raced: tuple[Path, list[Score], list[str]]) -> None:
    folder, scores, _ = raced
    assert scores_in(folder / "toy.json") == scores
    text = (folder / "toy.json").read_text()
    assert str(folder) not in text
    assert sorted(path.name for path in folder.iterdir()) == ["runs", "toy.json"]


def test_a_second_time_nothing_is_trained(
    raced: tuple[Path, list[Score], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, scores, _ = raced
    monkeypatch.setattr(runner, "TRAINERS", {})
    before, told = (folder / "toy.json").read_bytes(), list[str]()
    suite = chosen(toy(), seeds=(0,))
    assert run_suite(suite, folder / "toy.json", folder / "runs", tell=told.append) == scores
    assert (folder / "toy.json").read_bytes() == before
    assert all("finished before" in line for line in told)


# --- what can go wrong --------------------------------------------------------------------


def test_a_missing_package_is_told_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imitation.algorithms.adversarial.gail", None)
    told: list[str] = []
    suite = small("imitation-gail", "random")
    scores = run_suite(suite, tmp_path / "a.json", tmp_path / "runs", tell=told.append)
    assert [score.method for score in scores] == ["random"]
    assert "Left out" in told[1]
    assert "imitation" in told[1]
    assert "README" in told[1]
    assert len(scores_in(tmp_path / "a.json")) == 1


def test_a_diverged_run_is_a_row_that_says_so(tmp_path: Path) -> None:
    wild = replace(SMALL, cloning=CloningSettings(steps=50, learning_rate=1e38, batch_size=64))
    runs = [replace(run, settings=wild) for run in small("bc").runs]
    suite = Suite("mine", (*runs, Run("random", TOY, trajectories=2)), episodes=5)
    for _ in range(2):  # the second time it is known
        lost, sound = run_suite(suite, tmp_path / "a.json", tmp_path / "runs", pictures=False)
        assert lost.diverged is not None
        assert "finite" in lost.diverged
        assert (lost.returns, lost.normalised_score) == ([], None)
        assert sound.diverged is None
    assert scores_in(tmp_path / "a.json")[0] == lost


def test_an_interrupted_suite_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, calls = small("random", seeds=(0, 1, 2)), list[int]()
    whole = run_suite(suite, tmp_path / "whole.json", tmp_path / "whole", pictures=False)
    trainer = runner.TRAINERS["random"]

    def stopped(job: Any) -> Any:
        calls.append(job.run.seed)
        if calls == [0, 1]:
            raise KeyboardInterrupt
        return trainer(job)

    monkeypatch.setitem(runner.TRAINERS, "random", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_suite(suite, tmp_path / "a.json", tmp_path / "runs", pictures=False)
    assert len(scores_in(tmp_path / "a.json")) == 1
    scores = run_suite(suite, tmp_path / "a.json", tmp_path / "runs", pictures=False)
    assert calls == [0, 1, 1, 2]
    assert [score.returns for score in scores] == [score.returns for score in whole]


def test_a_stopped_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """SIGTERM in the middle of training, then the same command; see also test_resume.py."""
    words = ["bench", "toy", "--methods", "gail", "--seeds", "0", "--steps", "8192"]
    words += ["--episodes", "5", "--no-pictures"]
    options = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}
    process = subprocess.Popen(
        [sys.executable, "-m", "gail", *words], stderr=subprocess.PIPE, **options
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("step-*.zip")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143, errors
    assert "the same command goes on" in errors
    assert not (tmp_path / "benchmarks" / "toy.json").exists()
    subprocess.run(
        [sys.executable, "-m", "gail", *words], check=True, capture_output=True, **options
    )
    (run,) = (tmp_path / "runs" / "bench-toy").glob("*seed-0")
    (score,) = scores_in(tmp_path / "benchmarks" / "toy.json")
    assert "resumed" in json.loads((run / "config.json").read_text())
    assert score.steps == 8192


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    suite = small("random")
    for path in (tmp_path / "a.json", tmp_path / "runs"):
        with only_writer(path), pytest.raises(GailError, match="Another gail bench is writing"):
            run_suite(suite, tmp_path / "a.json", tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []
    run_suite(suite, tmp_path / "a.json", tmp_path / "runs", pictures=False)


def test_a_killed_writer_leaves_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    code = (
        f"import os, pathlib\nfrom gail.bench.lock import only_writer\n"
        f"with only_writer(pathlib.Path({str(path)!r})):\n    os.kill(os.getpid(), 9)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == -9
    with only_writer(path):
        pass
    assert list(tmp_path.iterdir()) == []


def known(out: Path, **changed: Any) -> None:
    """A file of raw scores with one run of the suite, or something else."""
    (run,) = small("random").runs
    expert = Demonstrations.shipped(TOY, trajectories=2)
    score = Score("random", TOY, run=run.name, reference={"hash": expert.hash}, returns=[1.0] * 5,
                  lengths=[1] * 5, falls=[False] * 5)  # fmt: skip
    record = runner.as_file("mine", [replace(score, **changed.pop("score", {}))])
    write(out, record | changed)


OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "older": ({"schema": 1}, "is of schema 1 and gail bench writes 2"),
    "newer": ({"schema": 3}, "is of schema 3"),
    "another suite": ({"suite": "ant"}, "the suite 'ant'"),
    "another kind": ({"kind": "throughput"}, "give another --out"),
    "other demonstrations": ({"score": {"reference": {"hash": "f" * 64}}}, "hash ffffffffffff"),
    "other episodes": (
        {"score": {"returns": [1.0], "lengths": [1], "falls": [False]}},
        "on 1 episodes and --episodes is 5",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_file_of_something_else_is_left_alone(case: str, tmp_path: Path) -> None:
    changed, told = OTHERS[case]
    out = tmp_path / "a.json"
    known(out, **changed)
    before = out.read_bytes()
    with pytest.raises(GailError, match=told):
        run_suite(small("random"), out, tmp_path / "runs")
    assert out.read_bytes() == before


def test_a_file_of_the_suite_is_taken(tmp_path: Path) -> None:
    known(tmp_path / "a.json")
    (score,) = run_suite(small("random"), tmp_path / "a.json", tmp_path / "runs")
    assert score.returns == [1.0] * 5


def test_wrong_input_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (
        "toy --demonstrations missing.npz",
        "toy --trajectories 99",
        "toy --steps -5",
        "toy --episodes -1",
        "toy --methods constant-uncloned",
    ):
        assert main(["bench", *words.split()]) == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert told[-1].startswith("gail: ")
    assert not list(tmp_path.rglob("*.json"))
