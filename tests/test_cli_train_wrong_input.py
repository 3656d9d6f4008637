"""What ``gail train`` cannot use: one sentence, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from experts import point_mass_demonstrations
from toy_runs import sentence

from envs import toy
from gail.cli import main
from gail.demonstrations import Demonstrations
from gail.playing import RandomPolicy, make, play


def data_files(folder: Path, expert: Path) -> None:
    """Files that cannot be used, by the names that the cases below use."""
    point_mass_demonstrations(2).save(folder / "good.npz")
    arrays = dict(np.load(expert))
    observed = arrays["observations"].copy()
    observed[3, 1] = np.nan
    np.savez(folder / "nan.npz", **(arrays | {"observations": observed}))
    np.savez(folder / "pickled.npz", observations=np.array([{"a": 1}], dtype=object))
    (folder / "short.npz").write_bytes(expert.read_bytes()[:500])
    (folder / "file").write_text("")
    (folder / "full").mkdir()
    (folder / "full" / "note.txt").write_text("mine")
    hopper = make("Hopper-v5")
    played = play(RandomPolicy(hopper.action_space), "Hopper-v5", 1, seed=1000)
    other = Demonstrations.from_episodes([each.episode for each in played], env_id="Hopper-v5")
    other.save(folder / "hopper.npz")


WRONG = {
    "no file": "--demonstrations missing.npz",
    "not a number": "--demonstrations nan.npz",
    "pickled": "--demonstrations pickled.npz",
    "cut off": "--demonstrations short.npz",
    "another task": "--demonstrations hopper.npz",
    "too many trajectories": "--demonstrations good.npz --trajectories 9",
    "unknown environment": "--demonstrations good.npz --env Nothing-v0",
    "unknown engine": "--demonstrations good.npz --backend magic",
    "engine of other tasks": "--demonstrations good.npz --backend native",
    "unknown device": "--demonstrations good.npz --device abacus",
    "no shipped data": "--env Pendulum-v1",
    "output below a file": "--demonstrations good.npz --out file/run",
    "output holds something": "--demonstrations good.npz --out full",
    "negative steps": "--demonstrations good.npz --steps -5",
    "no environments": "--demonstrations good.npz --ppo.num-envs 0",
    "every 0th step": "--demonstrations good.npz --every 0",
    "cloning with steps": "--demonstrations good.npz --method bc --steps 10",
    "cloning with resets": "--demonstrations good.npz --method bc --expert-resets 0.5",
    "resets in a task without": "--demonstrations good.npz --expert-resets 0.5",
    "reward with trajectories": "--method ppo --trajectories 2",
    "reward with every other step": "--method ppo --every 2",
    "cloning with a distance": "--demonstrations good.npz --method bc --policy-distance",
    "reward with another task's": "--demonstrations hopper.npz --method ppo",
    "reward with every 0th step": "--demonstrations good.npz --method ppo --every 0",
    "no run": "--resume full",
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_sentence_and_writes_nothing(
    case: str,
    expert: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    data_files(tmp_path, expert)
    before = sorted(tmp_path.rglob("*"))
    assert main(["train", "--env", toy.ID, *WRONG[case].split()]) == 2
    sentence(capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before
