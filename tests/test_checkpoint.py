"""Files of models: what is saved is what is loaded, and damage is told, never run."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from experts import point_mass_demonstrations

import envs
import gail
from envs.toy import ID
from gail import GAIL, CheckpointError, TorchPPO, checkpoint
from gail.demonstrations import Demonstrations, Episode
from gail.presets import CloningSettings, PPOSettings, Settings

SMALL = PPOSettings(num_envs=4, n_steps=16, batch_size=32, n_epochs=1, net_arch=(16,))
SETTINGS = Settings(ppo=SMALL, cloning=CloningSettings(steps=5))
ROUND = 4 * 16
OBS = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


def imitator(seed: int = 0) -> GAIL:
    return GAIL("MlpPolicy", ID, point_mass_demonstrations(2), SETTINGS, seed=seed, device="cpu")


def same_weights(a: TorchPPO, b: TorchPPO) -> bool:
    ours, theirs = a.weights(), b.weights()
    return all(torch.equal(ours[s][n], theirs[s][n]) for s in ours for n in ours[s])


def test_save_and_load_is_the_identity(tmp_path: Path) -> None:
    model = imitator().learn(2 * ROUND)
    model.save(tmp_path / "model")  # SB3's habit: the suffix is added
    loaded = GAIL.load(tmp_path / "model", device="cpu")
    assert same_weights(model, loaded)
    expected = model.predict(OBS, deterministic=True)[0]
    assert np.array_equal(loaded.predict(OBS, deterministic=True)[0], expected)
    assert loaded.settings == model.settings
    assert isinstance(gail.load(tmp_path / "model.zip", device="cpu"), GAIL)


def test_ppo_too(tmp_path: Path) -> None:
    model = TorchPPO("MlpPolicy", ID, SMALL, device="cpu").learn(ROUND)
    model.save(tmp_path / "ppo.zip")
    assert same_weights(model, TorchPPO.load(tmp_path / "ppo.zip", device="cpu"))
    assert type(gail.load(tmp_path / "ppo.zip", device="cpu")) is TorchPPO
    with pytest.raises(CheckpointError, match="TorchPPO"):
        GAIL.load(tmp_path / "ppo.zip", device="cpu")


def test_a_restored_run_continues_bit_for_bit(tmp_path: Path) -> None:
    whole = imitator().learn(5 * ROUND)
    first = imitator().learn(2 * ROUND)
    first.save_checkpoint(tmp_path / "c.zip")
    resumed = imitator().restore(tmp_path / "c.zip")
    resumed.learn(3 * ROUND, reset_num_timesteps=False)
    assert resumed.num_timesteps == whole.num_timesteps
    assert same_weights(whole, resumed)
    ours, theirs = whole.training_state(), resumed.training_state()
    assert all(torch.equal(ours[s][n], theirs[s][n]) for s in ours for n in ours[s])


def test_so_does_one_that_starts_in_the_experts_states(tmp_path: Path) -> None:
    env = envs.make("Hopper-v5", 1, device="cpu")
    rest = torch.zeros(1, 3)
    seen = torch.cat([env.reset(), *(env.step(rest).obs for _ in range(10))]).numpy()
    still = Episode(seen, np.zeros((10, 3), np.float32))
    settings = replace(SETTINGS, ppo=replace(SMALL, n_steps=64), expert_resets=0.5)

    def build() -> GAIL:
        expert = Demonstrations.from_episodes([still], env_id="Hopper-v5")
        return GAIL("MlpPolicy", "Hopper-v5", expert, settings, device="cpu")

    whole = build().learn(6 * 256)
    build().learn(2 * 256).save_checkpoint(tmp_path / "c.zip")
    resumed = build().restore(tmp_path / "c.zip").learn(4 * 256, reset_num_timesteps=False)
    assert whole.rollout_buffer.dones.any(), "episodes end after the checkpoint"
    assert same_weights(whole, resumed)


def test_an_engine_without_state_continues_with_new_episodes(tmp_path: Path) -> None:
    def build() -> TorchPPO:
        return TorchPPO("MlpPolicy", ID, SMALL, device="cpu", backend="gymnasium")

    build().learn(ROUND).save_checkpoint(tmp_path / "c.zip")
    resumed = build().restore(tmp_path / "c.zip").learn(ROUND, reset_num_timesteps=False)
    assert resumed.num_timesteps == 2 * ROUND


def test_every_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    model = imitator().learn(ROUND)
    model.save_checkpoint(path)
    content = path.read_bytes()
    generator = np.random.default_rng(0)
    for position in generator.integers(len(content), size=60):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        try:
            resumed = imitator().restore(path)
        except CheckpointError as error:
            assert "c.zip" in str(error)  # noqa: PT017  # either outcome is lawful
        else:
            assert same_weights(model, resumed)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file_is_one_sentence(tmp_path: Path, share: float) -> None:
    path = tmp_path / "model.zip"
    imitator().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match="damaged"):
        gail.load(path, device="cpu")


def test_sb3s_own_zip_is_refused_and_nothing_in_it_is_run(tmp_path: Path) -> None:
    path = tmp_path / "sb3.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", "{}")
        archive.writestr("policy.pth", b"\x80\x04.")
    with pytest.raises(
        CheckpointError, match=r"a zip of Stable-Baselines3; read it with gail\.from_sb3"
    ):
        gail.load(path, device="cpu")


def test_a_missing_file_and_a_newer_format_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no file"):
        gail.load(tmp_path / "nothing.zip")
    checkpoint.write(tmp_path / "new.zip", {"algorithm": "GAIL", "format": 99}, {})
    with pytest.raises(CheckpointError, match="99"):
        gail.load(tmp_path / "new.zip")


def test_a_checkpoint_of_other_settings_or_demonstrations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.zip"
    imitator().learn(ROUND).save_checkpoint(path)
    other = replace(SETTINGS, ppo=replace(SMALL, gamma=0.9))
    demonstrations = point_mass_demonstrations(2)
    with pytest.raises(CheckpointError, match="settings"):
        GAIL("MlpPolicy", ID, demonstrations, other, device="cpu").restore(path)
    more = point_mass_demonstrations(3)
    with pytest.raises(CheckpointError, match="demonstrations"):
        GAIL("MlpPolicy", ID, more, SETTINGS, device="cpu").restore(path)


def test_weights_alone_cannot_be_resumed(tmp_path: Path) -> None:
    imitator().save(tmp_path / "w.zip")
    with pytest.raises(CheckpointError, match="no training state"):
        imitator().restore(tmp_path / "w.zip")
