"""``gail data``: inspect, convert and validate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tyro
from known_episodes import known_demonstrations

from gail.cli.data import Data
from gail.demonstrations import Demonstrations
from gail.errors import DemonstrationError, GailError

FIXTURES = Path(__file__).parent / "fixtures"


def run(*words: str | Path) -> int:
    """Parse and run ``gail data`` with these words."""
    code: int = tyro.cli(Data, args=[str(word) for word in words]).run()
    return code


@pytest.fixture
def pendulum(tmp_path: Path) -> Path:
    """Demonstrations that fit Pendulum-v1, without metadata."""
    file = tmp_path / "pendulum.npz"
    np.savez_compressed(file, obs=np.zeros((5, 3)), acts=np.full((4, 1), 1.5), rews=np.ones(4))
    return file


def test_inspect_tells_what_a_file_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demos = known_demonstrations()
    demos.save(tmp_path / "own.npz")
    assert run("inspect", tmp_path / "own.npz") == 0
    text = capsys.readouterr().out
    for told in ("Pendulum-v1", "4.0.0", "13", "3 wide", "2 wide", "2 of 3", demos.hash[:32]):
        assert told in text


def test_inspect_tells_what_is_unknown(pendulum: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("inspect", pendulum)
    assert "unknown" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["gail", "imitation", "minari"])
@pytest.mark.parametrize("source", ["imitation", "minari/toy/expert-v0"])
def test_convert_keeps_the_episodes(source: str, form: str, tmp_path: Path) -> None:
    target = tmp_path / "new" / "out-v0"
    assert run("convert", FIXTURES / source, target, "--format", form) == 0
    assert Demonstrations.load(target).hash == known_demonstrations().hash


def test_convert_adds_the_task_and_cuts(pendulum: Path, tmp_path: Path) -> None:
    run("convert", pendulum, tmp_path / "told.npz", "--env", "Pendulum-v1")
    assert Demonstrations.load(tmp_path / "told.npz").env_id == "Pendulum-v1"
    run("convert", FIXTURES / "imitation", tmp_path / "one.npz", "--trajectories", "1")
    assert Demonstrations.load(tmp_path / "one.npz").num_episodes == 1


@pytest.mark.parametrize("form", ["gail", "imitation", "minari"])
def test_convert_overwrites_only_when_told(form: str, tmp_path: Path) -> None:
    target = tmp_path / "out-v0"
    run("convert", FIXTURES / "imitation", target, "--format", form)
    one = ("convert", FIXTURES / "imitation", target, "--format", form, "--trajectories", "1")
    with pytest.raises(GailError, match="out-v0 exists already; add --overwrite"):
        run(*one)
    assert Demonstrations.load(target).num_episodes == 3
    run(*one, "--overwrite")
    assert Demonstrations.load(target).num_episodes == 1
    assert [path.name for path in tmp_path.iterdir()] == ["out-v0"]


def test_convert_writes_nothing_from_a_bad_source(tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(DemonstrationError, match=r"bad\.npz is damaged"):
        run("convert", tmp_path / "bad.npz", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_validate_accepts_what_fits(pendulum: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("validate", pendulum, "--env", "Pendulum-v1") == 0
    assert "can be used to train Pendulum-v1" in capsys.readouterr().out


def test_validate_refuses_another_task_and_an_unknown_one(pendulum: Path) -> None:
    with pytest.raises(DemonstrationError, match="field observations is 3 wide, but Hopper-v5"):
        run("validate", pendulum, "--env", "Hopper-v5")
    with pytest.raises(GailError, match="NoSuchTask-v0"):
        run("validate", pendulum, "--env", "NoSuchTask-v0")
