"""``gail generate`` from end to end."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest

from gail.cli import main
from gail.cli.generate_families import FAMILIES
from generative import GaussianMixture, VariationalMixture, trainer
from generative.autoencoder import Autoencoder
from generative.vae import VAE

RNG = np.random.default_rng(0)
MIXTURE = ("--samples", 9, "--components", 3)
NET = ("--samples", 9, "--model", "vae", "--epochs", 2, "--latent", 2, "--hidden", 8)


def generate(*arguments: object, small: tuple[object, ...] = MIXTURE) -> int:
    return main(["generate", *map(str, (*small, *arguments))])


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
    assert np.load(out / "samples.npz")["samples"].shape == (9, 1, 8, 8)
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
    assert np.load(out / "samples.npz")["samples"].shape == (9, 3)
    assert json.loads((out / "result.json").read_text())["held_out_log_prob"] is None


def test_the_same_seed_gives_the_same_samples(rows: Path, tmp_path: Path) -> None:
    drawn = []
    for name in ("a", "b"):
        assert generate("--data", rows, "--out", tmp_path / name, "--seed", 5) == 0
        drawn.append(np.load(tmp_path / name / "samples.npz")["samples"])
    assert (drawn[0] == drawn[1]).all()


def test_sequences_are_cut_into_windows_and_end_in_curves(tmp_path: Path) -> None:
    walks = RNG.normal(size=(30, 9, 2)).cumsum(1)
    lengths = np.tile([9, 8, 4], 10)
    np.savez(tmp_path / "walks.npz", walks=walks, lengths=lengths)
    for window, rows, steps in (((), 50, 4), (("--window", 2), 100, 2)):
        out = tmp_path / str(steps)
        flags = ("--data", tmp_path / "walks.npz", "--held-out", 0, *window)
        assert generate("--out", out, *flags) == 0
        assert np.load(out / "samples.npz")["samples"].shape == (9, steps, 2)
        assert json.loads((out / "result.json").read_text())["rows"] == rows
        assert imageio.imread(out / "samples.png").shape[1] == 700


def test_bytes_and_colours_are_images(tmp_path: Path) -> None:
    grey = RNG.integers(0, 256, (40, 6, 5), dtype=np.uint8)
    colour = RNG.integers(0, 256, (40, 3, 6, 5), dtype=np.uint8)
    for name, images in (("grey", grey), ("colour", colour)):
        np.save(tmp_path / f"{name}.npy", images)
        out = tmp_path / name
        assert generate("--data", tmp_path / f"{name}.npy", "--out", out) == 0
        shape = images.reshape(40, -1, 6, 5).shape[1:]
        assert np.load(out / "samples.npz")["samples"].shape == (9, *shape)
        assert imageio.imread(out / "samples.png").shape[:2] == (300, 300)


@pytest.mark.parametrize(
    ("flags", "model"),
    [
        (("--network", "convolutional"), VAE),
        (("--likelihood", "gaussian"), VAE),
        (("--model", "svae", "--warm-up", 1), VAE),
        (("--posterior", "autoregressive"), VAE),
        (("--model", "ae", "--masked", 0.2), Autoencoder),
    ],
)
def test_nets_end_like_mixtures(
    flags: tuple[object, ...],
    model: type[VAE | Autoencoder],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert generate("--out", out, *flags, small=NET) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("checkpoint.zip", "interpolations.png", "latents.png", "model.zip"),
        *("reconstructions.png", "result.json", "samples.npz", "samples.png"),
    ]
    assert imageio.imread(out / "reconstructions.png").shape[:2] == (640, 1000)  # 6 lines of 10
    assert imageio.imread(out / "interpolations.png").shape[:2] == (640, 1000)
    assert model.load(out / "model.zip").epochs_trained == 2
    samples = np.load(out / "samples.npz")["samples"]
    assert samples.shape == (9, 1, 8, 8)
    assert np.isfinite(samples).all()
    result = json.loads((out / "result.json").read_text())
    assert result["epochs"] == 2
    assert model is Autoencoder or result["held_out_elbo"] < 0
    told = capsys.readouterr()
    assert "parameters" in told.out
    assert "100%" in told.err


def test_nets_take_vectors_and_sequences(rows: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "walks.npy", RNG.normal(size=(40, 5, 2)))
    assert generate("--data", rows, "--out", tmp_path / "a", "--tensorboard", small=NET) == 0
    assert any((tmp_path / "a" / "tensorboard").iterdir())
    assert (tmp_path / "a" / "latents.png").exists()
    assert not (tmp_path / "a" / "reconstructions.png").exists()
    walks = tmp_path / "walks.npy"
    assert generate("--data", walks, "--out", tmp_path / "b", "--patience", 1, small=NET) == 0
    assert np.load(tmp_path / "b" / "samples.npz")["samples"].shape == (9, 5, 2)


def test_a_training_that_was_cut_off_is_resumed_exactly(
    rows: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    flags = ("--data", rows, "--batch-size", 16)
    assert generate(*flags, "--out", whole, small=NET) == 0
    original = trainer.Trainer.take_step

    def take_step(self: trainer.Trainer) -> None:
        if self.step == 6:
            raise KeyboardInterrupt
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "take_step", take_step)
        assert generate(*flags, "--out", cut, small=NET) == 130
    assert "go on with --resume" in capsys.readouterr().err
    assert generate(*flags, "--out", cut, small=NET) == 2
    assert "holds a training; go on with --resume" in capsys.readouterr().err
    other = ("--batch-size", 8)
    assert generate(*flags, *other, "--out", cut, "--resume", small=NET) == 2
    assert "another training setting (batch_size 16; here" in capsys.readouterr().err
    assert generate(*flags, "--out", cut, "--resume", small=NET) == 0
    first, second = (np.load(out / "samples.npz")["samples"] for out in (whole, cut))
    assert (first == second).all()
    assert generate(*flags, "--out", tmp_path / "new", "--resume", small=NET) == 2
    assert "leave out --resume" in capsys.readouterr().err
    assert generate(*flags, "--out", cut, "--resume", "--overwrite", small=NET) == 2
    assert "leave out one of them" in capsys.readouterr().err


def test_a_run_is_replaced_as_a_whole_and_only_when_told(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert generate("--out", out, small=NET) == 0
    (out / "mine.txt").write_text("mine")
    before = {path: path.read_bytes() for path in out.iterdir()}
    for small in (MIXTURE, NET):
        assert generate("--data", rows, "--out", out, small=small) == 2
        assert "--overwrite" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert generate("--data", rows, "--out", out, "--overwrite") == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("mine.txt", "model.zip", "result.json", "samples.npz", "samples.png"),
    ]
    assert generate("--data", rows, "--out", out, "--overwrite", small=NET) == 0
    assert VAE.load(out / "model.zip").epochs_trained == 2
    assert generate("--data", rows, "--out", out, "--overwrite", small=NET) == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "energy.png").write_text("mine")
    assert generate("--data", rows, "--out", other, "--overwrite") == 0
    assert (other / "energy.png").read_text() == "mine"  # of no run
    assert generate("--out", out / "mine.txt") == 2
    assert "is no folder" in capsys.readouterr().err


def test_patience_needs_a_loss_that_is_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--patience", 1, "--validation", 0)
    assert generate("--out", tmp_path / "out", *flags, small=NET) == 2
    assert "give --validation 0.1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_training_that_diverges_is_told(rows: Path, tmp_path: Path) -> None:
    flags = ("--data", rows, "--out", tmp_path / "out", "--learning-rate", 1e30)
    assert generate(*flags, small=NET) == 1


@pytest.mark.parametrize("name", FAMILIES)
def test_every_model_shows_its_flags(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["generate", "--model", name, "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    for each in fields(FAMILIES[name]):
        assert f"--{each.name.replace('_', '-')}" in told
    assert str(FAMILIES[name].__doc__).split()[0].rstrip(".") in told


@pytest.mark.parametrize(
    ("arrays", "flags", "says"),
    [
        ({"a": np.ones((9, 2)), "b": np.ones((9, 2))}, (), "holds the arrays a, b; choose one"),
        ({"a": np.ones(9)}, (), "expected rows of numbers"),
        ({"a": np.array([["x", "y"]])}, (), "expected rows of numbers"),
        ({"a": np.array([[1.0, np.nan], [0.0, 1.0]])}, (), "x is nan at row"),
        ({"a": RNG.normal(size=(9, 2))}, ("--held-out", 1), "--held-out is 1"),
        ({"a": RNG.normal(size=(9, 2))}, ("--samples", 0), "--samples is 0"),
        ({"a": RNG.normal(size=(9, 2))}, ("--device", "tpu"), "--device is tpu"),
        ({"a": RNG.normal(size=(2, 2))}, ("--held-out", 0), "2 rows were given for 3 components"),
        ({"a": np.ones((9, 2))}, (), "None of the 2 columns varies"),
        ({"a": np.ones((9, 2))}, ("--kind", "images"), "expected (N, C, H, W) or (N, H, W)"),
        ({"a": np.ones((9, 2))}, ("--window", 3), "--window cuts sequences"),
        ({"a": np.ones((9, 4, 2))}, ("--window", 5), "--window is 5; expected 1 to 4"),
        ({"a": np.ones((9, 4, 2)), "lengths": np.full(9, 5)}, (), "whole numbers from 1 to 4"),
        ({"a": np.ones((9, 2))}, ("--model", "gnn"), "--model is gnn; expected one of gmm"),
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
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object))
    np.save(tmp_path / "cut.npy", np.ones((9, 9)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-9])
    for name, says in (
        ("data.npz", "is neither .npy nor .npz, whatever its name says"),
        ("cut.npy", "or it is damaged"),
        ("objects.npy", "holds Python objects, which are never read"),
    ):
        assert generate("--data", tmp_path / name, "--out", tmp_path / "out") == 2
        told = capsys.readouterr().err
        assert says in told
        assert "pickle" not in told
    assert generate("--data", "faces", "--out", tmp_path / "out") == 2
    assert "expected the word digits" in capsys.readouterr().err
