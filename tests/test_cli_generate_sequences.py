"""``gail generate --model seqvae`` from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from gail.cli import main
from gail.cli.generate_folder import MODEL, RESULTS, TRAINING
from generative.sequence_vae import SequenceVAE

RNG = np.random.default_rng(0)
FLAGS = ("--model", "seqvae", "--samples", 5, "--epochs", 2, "--latent", 2, "--hidden", 4)


def generate(*arguments: object) -> int:
    return main(["generate", *map(str, (*FLAGS, *arguments))])


def walks(folder: Path, lengths: bool) -> Path:
    """Sequences (30, 9, 3) whose last dimension never varies, with zeros beyond their lengths."""
    x, counts = RNG.normal(size=(30, 9, 3)).cumsum(1), np.tile([9, 8, 4], 10)
    x[..., 2] = 7
    path = folder / "walks.npz"
    if lengths:
        x[np.arange(9) >= counts[:, None]] = 0
        np.savez(path, walks=x, lengths=counts)
    else:
        np.savez(path, walks=x)
    return path


@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize(("window", "steps"), [((), 9), (("--window", 4), 4)])
def test_sequences_end_in_curves_codes_and_forecasts(
    lengths: bool, window: tuple[object, ...], steps: int, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    data = walks(tmp_path, lengths)
    assert generate("--data", data, "--out", out, "--components", 2, *window) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("checkpoint.zip", "forecasts.png", "latents.png", "model.zip", "result.json"),
        *("samples.npz", "samples.png"),
    ]
    assert {path.name for path in out.iterdir()} <= {MODEL, *RESULTS, *TRAINING}
    samples = np.load(out / "samples.npz")["samples"]
    assert samples.shape == (5, steps, 3)
    assert np.allclose(samples[..., 2], 7)
    assert imageio.imread(out / "forecasts.png").shape[1] == 700
    result = json.loads((out / "result.json").read_text())
    assert np.isfinite([result["elbo"], result["held_out_elbo"]]).all()
    model = SequenceVAE.load(out / "model.zip")
    assert (model.features, model.steps) == (2, steps)


def test_rows_that_are_no_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "rows.npy", RNG.normal(size=(30, 3)))
    assert generate("--data", tmp_path / "rows.npy", "--out", tmp_path / "out") == 2
    assert "seqvae models sequences (N, T, D)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
