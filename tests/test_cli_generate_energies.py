"""``gail generate --model ebm`` and ``diffusion`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from gail.cli import main
from gail.cli.generate_folder import MODEL, RESULTS, TRAINING
from generative import Diffusion, EnergyModel

RNG = np.random.default_rng(0)
FLAGS = ("--samples", 5, "--epochs", 1)
EBM = ("--model", "ebm", "--hidden", 8, "--temperatures", 5)
DIFFUSION = ("--model", "diffusion", "--hidden", 8, "--steps", 3)
ALWAYS = {"chains.gif", "checkpoint.zip", "model.zip", "result.json", "samples.npz", "samples.png"}


def generate(out: Path, *arguments: object) -> dict[str, float]:
    assert main(["generate", "--out", str(out), *map(str, (*FLAGS, *arguments))]) == 0
    assert {path.name for path in out.iterdir()} <= {MODEL, *RESULTS, *TRAINING}
    result: dict[str, float] = json.loads((out / "result.json").read_text())
    return result


def names(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


@pytest.mark.parametrize("objective", ["nce", "cd", "pcd", "score"])
def test_energies_of_the_plane_end_in_a_map_and_chains(objective: str, tmp_path: Path) -> None:
    np.save(tmp_path / "plane.npy", RNG.normal(size=(80, 2)))
    out = tmp_path / "out"
    result = generate(out, *EBM, "--objective", objective, "--data", tmp_path / "plane.npy")
    assert names(out) == {*ALWAYS, "energy.png"}
    assert np.isfinite([result["log_prob"], result["log_normaliser"]]).all()
    assert len(imageio.imread(out / "chains.gif", index=None)) > 10
    assert EnergyModel.load(out / "model.zip").shape == (2,)


@pytest.mark.parametrize("flags", [EBM, DIFFUSION])
def test_digits_are_completed(flags: tuple[object, ...], tmp_path: Path) -> None:
    generate(tmp_path / "out", *flags)
    assert names(tmp_path / "out") == {*ALWAYS, "completed.png"}
    samples = np.load(tmp_path / "out" / "samples.npz")["samples"]
    assert samples.shape == (5, 1, 8, 8)


def test_windows_come_from_noise(tmp_path: Path) -> None:
    walks = RNG.normal(size=(30, 9, 3)).cumsum(1)
    walks[..., 2] = 7
    np.savez(tmp_path / "walks.npz", walks=walks, lengths=np.tile([9, 8, 4], 10))
    flags = ("--model", "diffusion", "--width", 8, "--blocks", 1, "--steps", 3)
    out = tmp_path / "out"
    result = generate(out, *flags, "--data", tmp_path / "walks.npz", "--window", 4)
    assert names(out) == ALWAYS
    assert np.isfinite(result["elbo"])
    assert Diffusion.load(out / "model.zip").shape == (4, 2)
    drawn = np.load(out / "samples.npz")["samples"]
    assert drawn.shape == (5, 4, 3)
    assert np.allclose(drawn[..., 2], 7)


def test_sequences_of_several_lengths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walks = np.arange(30 * 9 * 2.0).reshape(30, 9, 2)
    np.savez(tmp_path / "walks.npz", walks=walks, lengths=np.tile([9, 8, 4], 10))
    flags = ("--model", "diffusion", "--data", str(tmp_path / "walks.npz"))
    assert main(["generate", *flags, "--out", str(tmp_path / "out")]) == 2
    assert "cut windows of one length" in capsys.readouterr().err
