"""Wrong input that real users give the command line: one sentence, code 2, nothing written."""

from __future__ import annotations

import errno
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from experts import point_mass_demonstrations
from gymnasium import spaces

from envs import toy
from gail import TorchPPO
from gail.cli import main
from gail.presets import PPOSettings

TRAIN = f"train --env {toy.ID} --demonstrations good.npz"


class Pictures(gym.Env[np.ndarray, np.ndarray]):
    """A task that is seen in pictures."""

    observation_space = spaces.Box(0, 255, (8, 8, 3), np.uint8)
    action_space = spaces.Box(-1.0, 1.0, (2,))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with usable demonstrations, a policy, an empty archive and a plain file."""
    monkeypatch.chdir(tmp_path)
    point_mass_demonstrations(2).save("good.npz")
    settings = PPOSettings(num_envs=2, n_steps=4, net_arch=(4,))
    TorchPPO("MlpPolicy", toy.ID, settings, device="cpu").save("policy.zip")
    arrays = dict(np.load("good.npz"))
    arrays["observations"][3, 1] = 1e30
    np.savez("huge.npz", **arrays)
    np.savez("wide.npz", observations=np.zeros((6, 27)), actions=np.zeros((5, 2)), lengths=[5])
    np.savez("none.npz")
    lengths, flags = np.zeros(0, np.int64), np.zeros(0, np.bool_)
    rows = {"observations": np.zeros((0, 4)), "actions": np.zeros((0, 2)), "lengths": lengths}
    np.savez("no-episodes.npz", **rows, terminated=flags, truncated=flags)  # type: ignore[arg-type]
    Path("file").write_text("")
    return tmp_path


CASES = {
    f"{TRAIN} --env Ant": "'Ant' names no version of the task; give Ant-v5",
    f"{TRAIN} --env GymV21Environment-v0": "Gymnasium cannot make 'GymV21Environment-v0'",
    f"{TRAIN} --env CartPole-v1": "action space of 'CartPole-v1' is Discrete(2)",
    f"{TRAIN} --env test/Pictures-v0": "only flat boxes",
    f"{TRAIN} --device meta": "device is 'meta', which torch cannot use here",
    f"{TRAIN} --seed -1": "seed is -1",
    f"{TRAIN} --seed 4294967296": "seed is 4294967296",
    f"{TRAIN} --every -1": "--every",
    f"{TRAIN} --checkpoint-seconds nan": "--checkpoint-seconds is nan",
    f"{TRAIN} --ppo.num-envs 1 --ppo.n-steps 1": "--ppo.n-steps",
    f"{TRAIN} --out file": "exists and is no folder",
    f"train --env {toy.ID} --demonstrations huge.npz": "holds 1e+30 in episode 0",
    f"train --env {toy.ID} --demonstrations none.npz": "none.npz has no field observations",
    f"train --env {toy.ID} --demonstrations no-episodes.npz": "holds no episodes",
    "evaluate policy.zip --seed -1": "seed is -1",
    "evaluate good.npz": "holds arrays, as files of demonstrations do, and a policy is expected",
    "data fit good.npz --out model.txt": "give a name that ends in .zip",
    "evaluate policy.zip --device meta": "device is 'meta'",
    "evaluate policy.zip --env GymV21Environment-v0": "cannot make",
    "evaluate policy.zip --demonstrations wide.npz": "field observations is 27 wide",
    "evaluate policy.zip --out file/score.json": "file is no folder",
    "evaluate policy.zip --out .": "is a folder; give the name of a file",
    "render policy.zip --out file/film.gif": "file is no folder",
    "render policy.zip --seed -1": "seed is -1",
    "render policy.zip --fps inf": "fps is inf",
    "render policy.zip --size 100000": "size is 100000",
    f"collect --env {toy.ID} --seed -1 --out new.npz": "seed is -1",
    f"collect --env {toy.ID} --out file/new.npz": "file is no folder",
    "data convert good.npz file/new-v0 --format minari": "file is no folder",
}


@pytest.mark.parametrize("words", CASES)
def test_it_is_told_in_a_sentence_and_nothing_is_written(
    words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = gym.envs.registration.EnvSpec("test/Pictures-v0", entry_point=Pictures)  # type: ignore[arg-type]
    monkeypatch.setitem(gym.registry, "test/Pictures-v0", spec)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert main(words.split()) == 2
    output = capsys.readouterr()
    complaint = output.err.rstrip().splitlines()[-1]
    assert complaint.startswith("gail: ")
    assert CASES[words] in complaint
    assert not output.out
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_an_option_without_its_value_is_left_to_the_parser(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--resume"])
    assert stop.value.code == 2
    assert "--resume" in capsys.readouterr().err


def test_a_disk_that_fills_up_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(self: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("gail.cli.train.Train.run", run)
    assert main(["train"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("gail: No space left on device")
    assert told.count("\n") == 1


def test_minari_folders_have_relative_paths_too(folder: Path) -> None:
    assert main(["data", "convert", "good.npz", "mine-v0", "--format", "minari"]) == 0
    assert (folder / "mine-v0" / "data" / "main_data.hdf5").is_file()
    assert main(f"data validate mine-v0 --env {toy.ID}".split()) == 0
