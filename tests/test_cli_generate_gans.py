"""``gail generate --model gan``, ``dcgan``, ``wgan``, ``vaegan`` and ``alphagan``, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from gail.cli import main
from gail.cli.generate_folder import MODEL, RESULTS, TRAINING
from gail.gan_pictures import MOST, TrainingFilm
from generative.alpha_gan import AlphaGAN
from generative.coded_gan import CodedGAN
from generative.gan import GAN
from generative.vae_gan import VAEGAN

RNG = np.random.default_rng(0)
FLAGS = ("--samples", 5, "--epochs", 2, "--hidden", 8, "--channels", 2, "--latent", 3)
ALWAYS = {"checkpoint.zip", "model.zip", "result.json", "samples.npz", "samples.png"}


def generate(out: Path, *arguments: object) -> dict[str, float]:
    assert main(["generate", "--out", str(out), *map(str, (*FLAGS, *arguments))]) == 0
    assert {path.name for path in out.iterdir()} <= {MODEL, *RESULTS, *TRAINING}
    result: dict[str, float] = json.loads((out / "result.json").read_text())
    return result


def names(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


@pytest.mark.parametrize("model", ["gan", "dcgan", "wgan"])
def test_digits_end_in_walks_and_a_film(model: str, tmp_path: Path) -> None:
    generate(tmp_path, "--model", model)
    assert names(tmp_path) == {*ALWAYS, "training.gif", "interpolations.png"}
    drawn = np.load(tmp_path / "samples.npz")["samples"]
    assert drawn.shape == (5, 1, 8, 8)
    assert drawn.min() >= 0
    assert drawn.max() <= 16
    assert len(imageio.imread(tmp_path / "training.gif", index=None)) == 2
    assert GAN.load(tmp_path / "model.zip").shape == (1, 8, 8)


@pytest.mark.parametrize(("model", "kind"), [("vaegan", VAEGAN), ("alphagan", AlphaGAN)])
def test_digits_are_coded(model: str, kind: type[CodedGAN], tmp_path: Path) -> None:
    generate(tmp_path, "--model", model, "--network", "dcgan")
    pictures = {"latents.png", "reconstructions.png", "interpolations.png"}
    assert names(tmp_path) == {*ALWAYS, *pictures, "training.gif"}
    assert kind.load(tmp_path / "model.zip").fidelity == kind.default_fidelity


def test_vectors_with_all_techniques(tmp_path: Path) -> None:
    np.save(tmp_path / "plane.npy", RNG.normal(size=(80, 2)))
    out = tmp_path / "out"
    flags = ("--feature-matching", 1, "--minibatch-discrimination", 2, "--label-smoothing", 0.1)
    result = generate(out, "--model", "gan", "--data", tmp_path / "plane.npy", *flags)
    assert names(out) == {*ALWAYS, "training.gif"}
    assert result["epochs"] == 2
    assert GAN.load(out / "model.zip").techniques.label_smoothing == 0.1


def test_windows(tmp_path: Path) -> None:
    walks = RNG.normal(size=(30, 9, 3)).cumsum(1)
    walks[..., 2] = 7
    np.savez(tmp_path / "walks.npz", walks=walks, lengths=np.tile([9, 8, 8], 10))
    flags = ("--model", "wgan", "--network", "dcgan", "--window", 8)
    out = tmp_path / "out"
    generate(out, *flags, "--data", tmp_path / "walks.npz")
    assert GAN.load(out / "model.zip").shape == (8, 2)
    drawn = np.load(out / "samples.npz")["samples"]
    assert drawn.shape == (5, 8, 3)
    assert np.allclose(drawn[..., 2], 7)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--model", "dcgan", "--data", "sizes.npy"), "4 to 7 times a power of two"),
        (("--model", "wgan", "--minibatch-discrimination", "2"), "judges each row by itself"),
        (("--model", "gan", "--loss", "hinge", "--label-smoothing", "0.1"), "has no labels"),
    ],
)
def test_wrong_input_is_a_sentence(
    flags: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("sizes.npy", RNG.random((20, 1, 9, 9)))
    assert main(["generate", "--out", "out", *flags]) == 2
    assert told in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize("model", ["gan", "dcgan", "wgan", "vaegan", "alphagan"])
def test_losses_of_players_leave_nothing_to_be_patient_with(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["generate", "--model", model, "--help"])
    assert stop.value.code == 0
    assert "--patience" not in capsys.readouterr().out


def test_long_films_keep_every_second_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from gail import gan_pictures
    from generative import Training

    g = torch.Generator().manual_seed(0)
    x = torch.randn(8, 2, generator=g)
    model = GAN(2).fit(x, training=Training(epochs=1), generator=g)
    film = TrainingFilm(model, x)
    monkeypatch.setattr(gan_pictures, "frame", lambda *_: np.zeros((32, 32, 3), np.uint8))
    for epoch in range(1, 4 * MOST):
        film.add(epoch, {})
    assert MOST / 2 <= len(film.pictures) <= MOST
    assert film.stride == 4
