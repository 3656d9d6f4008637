"""Pickled, damaged, missing and foreign files, missing packages, and places not to be written."""

from __future__ import annotations

import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from known_episodes import known_arrays, known_demonstrations, refused

from gail.demonstrations import Demonstrations
from gail.errors import DemonstrationError
from generative.files import FileError, replacing_file

FIXTURES = Path(__file__).parent / "fixtures"


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def pickled(path: Path, fields: dict[str, Any]) -> Path:
    np.savez_compressed(path, allow_pickle=True, **(known_arrays() | fields))
    return path


def test_pickled_files_are_named_and_never_opened(tmp_path: Path) -> None:
    mark = tmp_path / "exploded"
    objects = np.array([Bomb(mark)], dtype=object)
    refused(pickled(tmp_path / "mine.npz", {"actions": objects}), "field actions .*pickled.*savez")
    (tmp_path / "old.pkl").write_bytes(pickle.dumps([Bomb(mark)]))
    refused(tmp_path / "old.pkl", "is a pickle, which is never opened")
    np.save(tmp_path / "one.npy", objects, allow_pickle=True)
    refused(tmp_path / "one.npy", "is a single array")
    pickled(tmp_path / "unused.npz", {"infos": objects})
    Demonstrations.load(tmp_path / "unused.npz")  # what is not needed is not read
    assert not mark.exists()


@pytest.mark.parametrize("name", ["old.txt", "mine.npz", "mine.h5"])
def test_files_that_are_something_else(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("hello world, I am no archive")
    refused(tmp_path / name, "is neither an .npz nor an HDF5 file")
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path / name, "is empty")


def test_missing_files_and_empty_folders(tmp_path: Path) -> None:
    refused(tmp_path / "gone.npz", "does not exist")
    refused(tmp_path, "is a folder without demonstrations")


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.7, 0.99])
def test_truncated_files(kept: float, tmp_path: Path) -> None:
    known_demonstrations().save(tmp_path / "whole.npz")
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        for field, values in known_arrays().items():
            file[field] = values
    for name in ("whole.npz", "whole.h5"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / "cut").write_bytes(content[: int(len(content) * kept)])
        refused(tmp_path / "cut", "damaged|cut short")


def test_any_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    known = known_demonstrations()
    known.save(tmp_path / "whole.npz")
    content = (tmp_path / "whole.npz").read_bytes()
    found, generator = 0, np.random.default_rng(0)
    for place in range(0, len(content), 4):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(generator.integers(8))
        (tmp_path / "flipped.npz").write_bytes(flipped)
        try:
            demos = Demonstrations.load(tmp_path / "flipped.npz")
        except DemonstrationError:
            found += 1
        else:
            assert demos.hash == known.hash, place
            assert (demos.env_id, demos.mujoco_version) == (known.env_id, known.mujoco_version)
    assert found > len(content) / 8


def test_damaged_datasets_of_other_packages(tmp_path: Path) -> None:
    for folder, file in (
        ("imitation", "data-00000-of-00001.arrow"),
        ("imitation", "dataset_info.json"),
        ("minari/toy/expert-v0", "data/main_data.hdf5"),
        ("minari/toy/expert-v0", "data/metadata.json"),
    ):
        copy = tmp_path / f"{Path(folder).name}-{Path(file).name}"
        shutil.copytree(FIXTURES / folder, copy)
        content = (copy / file).read_bytes()
        (copy / file).write_bytes(content[: len(content) // 2])
        refused(copy, "damaged")


def test_minari_datasets_that_are_not_flat(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "minari/toy/expert-v0", tmp_path / "nested-v0")
    with h5py.File(tmp_path / "nested-v0/data/main_data.hdf5", "a") as file:
        del file["episode_1/observations"]
        file["episode_1/observations/desired_goal"] = np.zeros((4, 3))
    refused(tmp_path / "nested-v0", "nested-v0: episode_1: field observations is a dictionary")


def test_datasets_that_imitation_did_not_save(tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_dict({"text": ["a"]}).save_to_disk(str(tmp_path / "other"))
    refused(tmp_path / "other", "other has no column acts, obs, terminal")


@pytest.mark.parametrize(
    ("package", "path", "command"),
    [
        ("datasets", "imitation", "pip install datasets"),
        ("h5py", "minari/toy/expert-v0", "pip install h5py"),
    ],
)
def test_missing_packages_are_named_with_the_command(
    package: str, path: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    refused(FIXTURES / path, command)


def test_missing_minari_is_named_when_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(DemonstrationError, match="pip install 'minari"):
        known_demonstrations().to_minari(tmp_path / "x-v0")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["save", "to_imitation", "to_minari"])
def test_places_that_cannot_be_written(method: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match="cannot be written"):
        getattr(known_demonstrations(), method)(tmp_path / "file" / "data-v0")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.npz"
    known_demonstrations().save(path)
    before = path.read_bytes()

    def fail_halfway() -> None:
        with replacing_file(path) as handle:
            handle.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
