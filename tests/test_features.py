"""Rows and windows of episodes and rollouts, and models that carry their statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from oscillators import ACTIONS, WIDTH, demonstrations, oscillation, oscillations

from gail.errors import GailError
from gail.feature_model import FeatureModel, rows_of
from gail.features import Features, Inputs, episode_rows, pieces, rollout_rows
from gail.rollout import Rollout
from generative import ArchiveError, GaussianMixture
from generative.diffusion import Diffusion
from generative.sequence_vae import SequenceVAE
from generative.training import Training


@pytest.mark.parametrize(
    ("inputs", "width"), [("s", WIDTH), ("sa", WIDTH + ACTIONS), ("ss", 2 * WIDTH)]
)
def test_rows_of_an_episode_are_its_steps(inputs: Inputs, width: int) -> None:
    episode = oscillation(0, steps=9)
    rows = episode_rows(episode, inputs)
    assert rows.shape == (9, width)
    assert (rows[:, :WIDTH].numpy() == episode.observations[:-1]).all()
    if inputs == "ss":
        assert (rows[:-1, WIDTH:] == rows[1:, :WIDTH]).all()


def test_a_rollout_gives_the_rows_of_its_episodes() -> None:
    """Two environments side by side, one of which ends an episode on the way."""
    box = spaces.Box(-np.inf, np.inf, (1,))
    rollout = Rollout(5, box, box, n_envs=2)
    rollout.observations[:] = torch.arange(10.0).view(2, 5).T[..., None]
    rollout.next_observations[:] = rollout.observations + 0.5
    rollout.terminated[1, 0] = True
    found = rollout_rows(rollout, "ss")
    assert [piece[:, 0].tolist() for piece in found] == [[0, 1], [2, 3, 4], [5, 6, 7, 8, 9]]
    assert all((piece[:, 1] == piece[:, 0] + 0.5).all() for piece in found)


def test_pieces_leave_out_what_is_not_finite() -> None:
    rows = torch.tensor([1.0, float("nan"), 3.0])[:, None, None]
    found = pieces(rows, torch.tensor([[False], [True], [False]]))
    assert [piece.flatten().tolist() for piece in found] == [[1.0], [3.0]]


@pytest.mark.parametrize("whiten", [False, True])
def test_features_drop_scale_and_clip(whiten: bool) -> None:
    rows = [episode_rows(each, "s") for each in oscillations(4)]
    features = Features("s", whiten=whiten, clip=1.5).fit(rows)
    assert features.live.tolist() == [True] * 4 + [False] * 2
    scaled = features.transform(torch.cat(rows))[0]
    assert torch.allclose(scaled.std(0, correction=0), torch.ones(scaled.shape[1]), atol=1e-3)
    seen = features(rows[0])
    assert seen.abs().max() <= 1.5
    assert torch.equal(seen, features.scaled(rows[0]))


def test_windows_are_runs_of_scaled_rows() -> None:
    rows = [episode_rows(each, "sa") for each in oscillations(2, steps=20)]
    features = Features("sa", window=5).fit(rows)
    windows = features(rows[1])
    assert windows.shape == (16, 5, 6)
    assert torch.equal(windows[3, 2], features.scaled(rows[1])[5])
    assert len(features.stacked([*rows, rows[0][:3]])) == 32
    with pytest.raises(GailError, match="No episode has the 5 steps of a window"):
        features.stacked([rows[0][:4]])


def fitted(kind: str) -> FeatureModel:
    demos = demonstrations(3)
    rows = rows_of(demos, "s")
    window = 1 if kind == "mixture" else 4
    features = Features("s", window=window).fit(rows)
    x, g = features.stacked(rows), torch.Generator().manual_seed(0)
    once = Training(epochs=1)
    if kind == "mixture":
        model: GaussianMixture | SequenceVAE | Diffusion = GaussianMixture(2).fit(x, generator=g)
    elif kind == "seqvae":
        model = SequenceVAE(4, 4, latent=2, hidden=4, components=1).fit(
            x, training=once, generator=g
        )
    else:
        model = Diffusion((4, 4), parts=0.5).fit(x, training=once, generator=g)
    return FeatureModel(features, model, "Some-v0")


@pytest.mark.parametrize("kind", ["mixture", "seqvae", "diffusion"])
def test_model_and_statistics_are_one_file(kind: str, tmp_path: Path) -> None:
    model = fitted(kind)
    model.save(tmp_path / "m.zip")
    loaded = FeatureModel.load(tmp_path / "m.zip")
    rows = episode_rows(oscillation(9), "s")
    assert torch.equal(loaded.features(rows), model.features(rows))
    assert loaded.env_id == "Some-v0"
    assert loaded.features.settings() == model.features.settings()
    own = type(model.model).load(tmp_path / "m.zip")  # the class of the model reads it too
    state = model.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in own.state_dict().items())


def test_a_model_of_something_else_is_refused(tmp_path: Path) -> None:
    model = fitted("mixture")
    model.check_for("Some-v0", "s", WIDTH)
    model.check_for(None, "s", WIDTH)
    with pytest.raises(GailError, match="fitted to Some-v0 and this is Other-v0"):
        model.check_for("Other-v0", "s", WIDTH)
    with pytest.raises(GailError, match=r"rows of observations \(s\) and this needs .*sa"):
        model.check_for("Some-v0", "sa", WIDTH)
    with pytest.raises(GailError, match="6 wide and these are 7 wide"):
        model.check_for("Some-v0", "s", 7)
    bare = tmp_path / "bare.zip"
    model.model.save(bare)
    with pytest.raises(ArchiveError, match="no model of observations; make one with gail data fit"):
        FeatureModel.load(bare)


@pytest.mark.parametrize("wrong", [{"inputs": "x"}, {"window": 0}, {"clip": 0.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"choose one of|must be positive"):
        Features(**wrong)  # type: ignore[arg-type]
