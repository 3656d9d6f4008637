"""``gail generate`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest

from gail.cli import main
from generative import GaussianMixture, VariationalMixture

RNG = np.random.default_rng(0)
SMALL = ("--components", "3", "--samples", "9")


def generate(*arguments: object) -> int:
    return main(["generate", *SMALL, *map(str, arguments)])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.npy"
    np.save(path, RNG.normal(size=(80, 3)))
    return path


def test_digits_end_in_a_grid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "runs" / "gmm"
    assert generate("--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("model.zip", "result.json", "samples.npz", "samples.png"),
    ]
    assert GaussianMixture.load(out / "model.zip").components == 3
    assert np.load(out / "samples.npz")["samples"].shape == (9, 64)
    assert imageio.imread(out / "samples.png").shape[:2] == (300, 300)
    result = json.loads((out / "result.json").read_text())
    assert result["held_out_rows"] == 179
    assert result["live_dimensions"] < 64
    assert result["held_out_log_prob"] < result["log_prob"]
    assert "nats a row" in capsys.readouterr().out


def test_vectors_end_in_a_pair_plot(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "vgmm"
    flags = ("--model", "vgmm", "--preprocessing", "whiten", "--held-out", 0)
    assert generate("--data", rows, "--out", out, *flags) == 0
    assert VariationalMixture.load(out / "model.zip").alive <= 3
    assert imageio.imread(out / "samples.png").shape[0] > 300
    assert json.loads((out / "result.json").read_text())["held_out_log_prob"] is None


def test_the_same_seed_gives_the_same_samples(rows: Path, tmp_path: Path) -> None:
    drawn = []
    for name in ("a", "b"):
        assert generate("--data", rows, "--out", tmp_path / name, "--seed", 5) == 0
        drawn.append(np.load(tmp_path / name / "samples.npz")["samples"])
    assert (drawn[0] == drawn[1]).all()


@pytest.mark.parametrize(
    ("arrays", "flags", "says"),
    [
        ({"a": np.ones((9, 2)), "b": np.ones((9, 2))}, (), "holds the arrays a, b; choose one"),
        ({"a": np.ones(9)}, (), "expected rows of numbers"),
        ({"a": np.array([["x", "y"]])}, (), "expected rows of numbers"),
        ({"a": np.array([[1.0, np.nan], [0.0, 1.0]])}, (), "x is nan at row"),
        ({"a": RNG.normal(size=(9, 2))}, ("--held-out", 1), "--held-out is 1"),
        ({"a": RNG.normal(size=(9, 2))}, ("--samples", 0), "--samples is 0"),
        ({"a": RNG.normal(size=(2, 2))}, ("--held-out", 0), "2 rows were given for 3 components"),
        ({"a": np.ones((9, 2))}, (), "None of the 2 columns varies"),
    ],
)
def test_wrong_input_is_one_sentence(
    arrays: dict[str, Any],
    flags: tuple[object, ...],
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    out = tmp_path / "out"
    assert generate("--data", tmp_path / "data.npz", "--out", out, *flags) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert says in told[-1]
    assert told[-1].startswith("gail: ")
    assert not out.exists()


def test_files_that_are_no_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data.npz").write_text("no zip")
    assert generate("--data", tmp_path / "data.npz", "--out", tmp_path / "out") == 2
    assert "cannot be read as arrays" in capsys.readouterr().err
    assert generate("--data", "faces", "--out", tmp_path / "out") == 2
    assert "expected the word digits" in capsys.readouterr().err
