"""Zips that are not what they should be: one sentence, and nothing in them is run."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import gail
from envs import toy
from gail import TorchPPO, from_sb3
from gail.errors import GailError
from gail.playing import make
from gail.presets import PPOSettings
from gail.torch_file import read_tensors

GOOD = Path(__file__).parent / "fixtures" / "sb3" / "ppo.zip"


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def saved(value: Any) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def state() -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(GOOD) as archive:
        return read_tensors(archive.read("policy.pth"))


def changed(path: Path, weights: Any = None, **told: Any) -> Path:
    """A copy of the good zip with other weights, or other words in its JSON."""
    with zipfile.ZipFile(GOOD) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "data":
                content = json.dumps(json.loads(content) | told).encode()
            if name == "policy.pth" and weights is not None:
                content = saved(weights)
            target.writestr(name, content)
    return path


def refused(path: Path, sentence: str, env_id: str = "Pendulum-v1", **options: Any) -> None:
    with pytest.raises(GailError, match=sentence) as caught:
        from_sb3(path, env_id, device="cpu", **options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value) or "VecNormalize" in str(caught.value)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    refused(changed(tmp_path / "a.zip", {"log_std": Trap(trap)}), "more than tensors")
    refused(changed(tmp_path / "b.zip", Trap(trap)), "more than tensors")
    traps = {"policy_class": {":serialized:": "gASVAAAAAAAAAAA="}, "observation_space": "?"}
    assert from_sb3(changed(tmp_path / "c.zip", **traps), "Pendulum-v1").num_timesteps == 16
    assert not trap.exists()


def test_tensors_of_every_kind_are_read_as_torch_reads_them() -> None:
    numbers = torch.arange(24.0).view(4, 6)
    known = {
        "plain": numbers,
        "shared": numbers[1:3],
        "turned": numbers.T[::2],
        "single": torch.tensor(2.5, dtype=torch.float64),
        "half": torch.tensor([0.5], dtype=torch.float16),
        "count": torch.tensor([[7]]),
        "none": torch.zeros(0, 3),
    }
    found = read_tensors(saved(known))
    assert found.keys() == known.keys()
    for name, value in known.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name
    module = torch.nn.Linear(2, 3).state_dict()
    assert all(torch.equal(v, module[k]) for k, v in read_tensors(saved(module)).items())


def test_what_is_no_dictionary_of_tensors_is_refused() -> None:
    for value in ([torch.zeros(2)], {"a": 1.5}, {"a": torch.zeros(2, dtype=torch.complex64)}):
        with pytest.raises(ValueError, match="it holds"):
            read_tensors(saved(value))


def test_every_damage_gets_a_sentence(tmp_path: Path) -> None:
    whole, path = GOOD.read_bytes(), tmp_path / "damaged.zip"
    for length in (0, 10, 1000, len(whole) - 5):
        path.write_bytes(whole[:length])
        refused(path, "is damaged or no zip")
    start = whole.index(b"policy.pth")
    for place in range(start + 40, start + 4000, 173):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        refused(path, "is damaged or no zip")


def test_other_zips_get_a_sentence(tmp_path: Path) -> None:
    refused(tmp_path / "missing.zip", "There is no file")
    model = TorchPPO("MlpPolicy", toy.ID, PPOSettings(num_envs=2, n_steps=4, net_arch=(4,)))
    model.save(tmp_path / "ours.zip")
    with pytest.raises(GailError, match=r"gail\.from_sb3"):
        gail.load(GOOD)
    refused(tmp_path / "ours.zip", r"it has no policy\.pth")
    shutil.copy(GOOD, tmp_path / "good.zip")
    refused(tmp_path / "good.zip", r"\(3, 1\), and toy/PointMass-v0 has", toy.ID)


WRONG = {
    "another algorithm": (lambda s: {"actor.mu.weight": s["log_std"]}, "holds no action_net.bias"),
    "pictures": (lambda s: s | {"features_extractor.cnn.0.weight": s["log_std"]}, "holds features"),
    "state-dependent noise": (lambda s: s | {"log_std": torch.zeros(8, 1)}, "use_sde"),
    "broken chain": (lambda s: s | {"action_net.weight": torch.zeros(1, 5)}, "do not fit"),
    "no matrix": (lambda s: s | {"action_net.weight": torch.zeros(8)}, "do not fit"),
    "short bias": (lambda s: s | {"action_net.bias": torch.zeros(2)}, "do not fit"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_networks_get_a_sentence(case: str, tmp_path: Path) -> None:
    change, sentence = WRONG[case]
    refused(changed(tmp_path / "policy.zip", change(state())), sentence)


def test_an_activation_that_is_not_told_has_to_be_given(tmp_path: Path) -> None:
    gelu = {"activation_fn": "<class 'torch.nn.modules.activation.GELU'>"}
    refused(changed(tmp_path / "a.zip", policy_kwargs=gelu), "has the activation GELU")
    silent = changed(tmp_path / "b.zip", policy_kwargs=None)
    refused(silent, "does not tell its activation")
    model = from_sb3(silent, "Pendulum-v1", activation="relu", device="cpu")
    obs = np.ones((1, 3), np.float32)
    good = from_sb3(GOOD, "Pendulum-v1", device="cpu")
    assert model.predict(obs, deterministic=True) == good.predict(obs, deterministic=True)


def test_statistics_of_another_task_are_refused() -> None:
    other = VecNormalize(DummyVecEnv([lambda: make(toy.ID)]))
    refused(GOOD, "other observations", normaliser=other)
