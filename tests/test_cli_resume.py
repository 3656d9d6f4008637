"""``gail train --resume``: runs that stopped in any way go on as if they had not."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from experts import point_mass_demonstrations
from toy_runs import SMALL, same_weights, sentence, train

from envs import toy
from gail.cli import main


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
