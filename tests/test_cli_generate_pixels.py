"""``gail generate --model pixelcnn`` and ``pixelrnn`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gail.cli import main
from gail.cli.generate_folder import MODEL, RESULTS, TRAINING
from generative.pixel_models import PixelCNN, PixelRNN

RNG = np.random.default_rng(0)
FLAGS = ("--samples", 5, "--epochs", 1, "--channels", 4, "--blocks", 1)
WRITTEN = {
    *("checkpoint.zip", "completed.png", "model.zip"),
    *("result.json", "samples.npz", "samples.png"),
}


def generate(out: Path, *arguments: object) -> dict[str, float]:
    assert main(["generate", "--out", str(out), *map(str, (*FLAGS, *arguments))]) == 0
    assert {path.name for path in out.iterdir()} <= {MODEL, *RESULTS, *TRAINING}
    assert {path.name for path in out.iterdir()} == WRITTEN
    result: dict[str, float] = json.loads((out / "result.json").read_text())
    return result


@pytest.fixture
def images(tmp_path: Path) -> Path:
    np.save(tmp_path / "images.npy", RNG.integers(0, 4, (40, 2, 4, 5), np.uint8))
    return tmp_path / "images.npy"


@pytest.mark.parametrize("output", ["categorical", "logistic"])
def test_digits(output: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = generate(tmp_path / "out", "--model", "pixelcnn", "--output", output)
    assert -64 * 5 < result["held_out_log_prob"] < 0
    samples = np.load(tmp_path / "out" / "samples.npz")["samples"]
    assert samples.shape == (5, 1, 8, 8)
    assert set(np.unique(samples)) <= set(range(17))
    assert "sampling" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ("pixelcnn", "--network", "masked"),
        ("pixelcnn", "--kernel", 5),
        ("pixelrnn", "--network", "row"),
        ("pixelrnn", "--network", "diagonal"),
    ],
)
def test_colours(flags: tuple[object, ...], images: Path, tmp_path: Path) -> None:
    generate(tmp_path / "out", "--model", *flags, "--data", images)
    kind = PixelCNN if flags[0] == "pixelcnn" else PixelRNN
    model = kind.load(tmp_path / "out" / "model.zip")
    assert (model.shape, model.likelihood.levels) == ((2, 4, 5), 4)


def test_bits_from_shades(images: Path, tmp_path: Path) -> None:
    generate(tmp_path / "out", "--model", "pixelrnn", "--levels", 2, "--data", images)
    samples = np.load(tmp_path / "out" / "samples.npz")["samples"]
    assert set(np.unique(samples)) == {0, 3}


def test_windows(tmp_path: Path) -> None:
    walks = RNG.normal(size=(30, 9, 3)).cumsum(1)
    walks[..., 2] = 7
    np.savez(tmp_path / "walks.npz", walks=walks, lengths=np.tile([9, 8, 4], 10))
    flags = ("--model", "pixelcnn", "--window", 4, "--levels", 8)
    result = generate(tmp_path / "out", *flags, "--data", tmp_path / "walks.npz")
    assert np.isfinite(result["log_prob"])
    drawn = np.load(tmp_path / "out" / "samples.npz")["samples"]
    assert drawn.shape == (5, 4, 3)
    assert np.allclose(drawn[..., 2], 7)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("pixelcnn", "--channels", "5"), "cannot be shared out equally to 2 colours"),
        (("pixelcnn", "--kernel", "2"), "the nearest that do are 1 or 3"),
        (("pixelcnn", "--levels", "3"), "values from 0 to 3; expected whole numbers from 0 to 2"),
        (("pixelrnn", "--key", "x", "--data", "walks.npz"), "takes images and was given rows"),
        (("pixelcnn", "--key", "y", "--data", "walks.npz"), "takes images and sequences and was"),
        (("pixelcnn", "--key", "z", "--data", "walks.npz"), "--levels 2, which draws bits"),
    ],
)
def test_wrong_input(
    flags: tuple[str, ...],
    told: str,
    images: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shades = {"x": np.zeros((9, 5, 2)), "y": np.zeros((9, 5)), "z": np.ones((9, 1, 2, 2)) / 3}
    np.savez("walks.npz", **shades)
    flags = ("--model", *flags) if "--data" in flags else ("--model", *flags, "--data", str(images))
    assert main(["generate", "--out", "out", "--epochs", "1", *flags]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not Path("out").exists()
