"""The same episodes in every layout of plain arrays, and in this project's own format."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from known_episodes import known_demonstrations, known_episodes

from gail.demonstrations import Demonstrations, Episode

EPISODES = known_episodes()
Writer = Callable[[Path, dict[str, Any]], None]


def write_npz(path: Path, arrays: dict[str, Any]) -> None:
    with path.open("wb") as handle:
        np.savez_compressed(handle, allow_pickle=True, **arrays)


def write_hdf5(path: Path, arrays: dict[str, Any]) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
        file["infos/qpos"] = np.zeros(3)


def rows(get: Callable[[Episode], Any]) -> np.ndarray:
    return np.concatenate([np.asarray(get(episode)) for episode in EPISODES])


def last(episode: Episode) -> np.ndarray:
    return np.arange(len(episode.actions)) == len(episode.actions) - 1


TERMINALS = rows(lambda e: last(e) & e.terminated)
TIMEOUTS = rows(lambda e: last(e) & e.truncated)
STEPS = {
    "observations": rows(lambda e: e.observations[:-1]),
    "actions": rows(lambda e: e.actions),
    "rewards": rows(lambda e: e.rewards),
}
NEXT = {"next_observations": rows(lambda e: e.observations[1:])}
WHOLE = STEPS | {"observations": rows(lambda e: e.observations)}
EACH = {
    "lengths": np.array([5, 3, 5]),
    "terminated": np.array([False, True, True]),
    "truncated": np.array([True, False, False]),
}


def padded(get: Callable[[Episode], Any], rows_each: int) -> np.ndarray:
    out = np.full((3, rows_each, *np.shape(get(EPISODES[0]))[1:]), 7.0, np.float32)
    for place, episode in zip(out, EPISODES, strict=True):
        place[: len(get(episode))] = get(episode)
    return out


SAME = {
    "own": WHOLE | EACH,
    "d4rl": STEPS | NEXT | {"terminals": TERMINALS, "timeouts": TIMEOUTS},
    "short names": {
        "obs": WHOLE["observations"],
        "acts": WHOLE["actions"].astype(np.float64),
        "rews": STEPS["rewards"][:, None],
        **EACH,
    },
    "flags a step with lengths": WHOLE
    | {"lengths": EACH["lengths"], "terminations": TERMINALS, "truncations": TIMEOUTS},
    "terminated only": WHOLE | {"lengths": EACH["lengths"], "terminated": EACH["terminated"]},
    "truncated only": WHOLE | {"lengths": EACH["lengths"], "truncated": EACH["truncated"]},
    "episode starts": STEPS
    | NEXT
    | {"episode_starts": np.roll(TERMINALS | TIMEOUTS, 1), "terminals": TERMINALS},
    "breaks in the chain": STEPS | NEXT | {"terminated": EACH["terminated"]},
    "padded": {
        "observations": padded(lambda e: e.observations, 6),
        "actions": padded(lambda e: e.actions, 5),
        "rewards": padded(lambda e: e.rewards, 5),
        **EACH,
    },
    "padded to the first flag": {
        "observations": padded(lambda e: e.observations, 6),
        "actions": padded(lambda e: e.actions, 5),
        "rewards": padded(lambda e: e.rewards, 5),
        "terminals": np.array([[0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]], np.bool_),
    },
}


@pytest.mark.parametrize("write", [write_npz, write_hdf5])
@pytest.mark.parametrize("name", SAME)
def test_plain_arrays_in_every_layout_are_the_same_episodes(
    name: str, write: Writer, tmp_path: Path
) -> None:
    write(tmp_path / "plain.data", SAME[name])
    demos = Demonstrations.load(tmp_path / "plain.data")
    assert demos.hash == known_demonstrations().hash


def test_layout_of_the_gail_papers_own_files(tmp_path: Path) -> None:
    write_hdf5(
        tmp_path / "expert.h5",
        {
            "obs_B_T_Do": padded(lambda e: e.observations[:-1], 5),
            "a_B_T_Da": padded(lambda e: e.actions, 5),
            "r_B_T": padded(lambda e: e.rewards, 5),
            "len_B": EACH["lengths"],
        },
    )
    demos = Demonstrations.load(tmp_path / "expert.h5")
    assert demos.lengths.tolist() == [4, 2, 4]  # the last step has no known successor


def test_without_final_observations_the_last_step_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_npz(tmp_path / "d4rl.npz", STEPS | {"terminals": TERMINALS, "timeouts": TIMEOUTS})
    demos = Demonstrations.load(tmp_path / "d4rl.npz")
    for ours, known in zip(demos.episodes(), EPISODES, strict=True):
        np.testing.assert_array_equal(ours.observations, known.observations[:-1])
        np.testing.assert_array_equal(ours.actions, known.actions[:-1])
        assert (ours.terminated, ours.truncated) == (False, True)
    assert "the last step of each episode is left out" in caplog.text


def test_an_episode_cut_by_the_end_of_the_arrays_is_kept_as_truncated(tmp_path: Path) -> None:
    cut = {name: values[:-1] for name, values in (STEPS | NEXT).items()}
    write_npz(tmp_path / "a.npz", cut | {"terminals": TERMINALS[:-1], "timeouts": TIMEOUTS[:-1]})
    demos = Demonstrations.load(tmp_path / "a.npz")
    assert demos.lengths.tolist() == [5, 3, 4]
    assert demos.terminated.tolist() == [False, True, False]
    write_npz(tmp_path / "b.npz", cut | {"timeouts": TIMEOUTS[:-1]})
    assert Demonstrations.load(tmp_path / "b.npz").terminated.tolist() == [False, True, False]


def test_where_nothing_tells_how_episodes_ended_the_shorter_count_as_falls(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_npz(tmp_path / "a.npz", WHOLE | {"lengths": EACH["lengths"]})
    assert Demonstrations.load(tmp_path / "a.npz").terminated.tolist() == [False, True, False]
    write_npz(tmp_path / "b.npz", STEPS | NEXT | {"dones": TERMINALS | TIMEOUTS})
    assert Demonstrations.load(tmp_path / "b.npz").terminated.tolist() == [False, True, False]
    assert caplog.text.count("how episodes ended") == 2


def test_one_episode_needs_no_lengths(tmp_path: Path) -> None:
    write_npz(tmp_path / "one.npz", {"obs": EPISODES[0].observations, "acts": EPISODES[0].actions})
    assert Demonstrations.load(tmp_path / "one.npz").lengths.tolist() == [5]


def test_one_dimensional_spaces_may_be_flat(tmp_path: Path) -> None:
    write_npz(tmp_path / "flat.npz", {"obs": np.arange(4.0), "acts": np.arange(3.0)})
    demos = Demonstrations.load(tmp_path / "flat.npz")
    assert (demos.observation_dim, demos.action_dim) == (1, 1)


def test_own_format_keeps_everything(tmp_path: Path) -> None:
    demos = known_demonstrations()
    demos.save(tmp_path / "folder" / "own.npz")
    again = Demonstrations.load(tmp_path / "folder" / "own.npz")
    assert again.hash == demos.hash
    assert (again.env_id, again.mujoco_version) == (demos.env_id, demos.mujoco_version)
    assert again.seeds is not None
    assert again.seeds.tolist() == [1000, 1001, 1002]
    assert again.name == "own.npz"
    with np.load(tmp_path / "folder" / "own.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


def test_own_format_does_not_need_the_unknown(tmp_path: Path) -> None:
    episodes = [episode._replace(seed=None) for episode in known_episodes(rewards=False)]
    Demonstrations.from_episodes(episodes).save(tmp_path / "bare.npz")
    bare = Demonstrations.load(tmp_path / "bare.npz")
    assert (bare.env_id, bare.mujoco_version, bare.rewards, bare.seeds) == (None,) * 4


def test_missing_metadata_is_told_in_one_notice_and_taken_from_the_caller(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Demonstrations.from_episodes(known_episodes(rewards=False)).save(tmp_path / "bare.npz")
    demos = Demonstrations.load(tmp_path / "bare.npz", env_id="Ant-v5")
    assert demos.env_id == "Ant-v5"
    (notice,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    for told in ("bare.npz", "environment id (taken as Ant-v5)", "MuJoCo version", "rewards"):
        assert told in notice.getMessage()
    caplog.clear()
    known_demonstrations().save(tmp_path / "full.npz")
    Demonstrations.load(tmp_path / "full.npz", env_id="Pendulum-v1")
    assert not caplog.records


def test_a_trajectory_limit_applies_at_loading(tmp_path: Path) -> None:
    known_demonstrations().save(tmp_path / "own.npz")
    limited = Demonstrations.load(tmp_path / "own.npz", trajectories=2)
    assert limited.hash == known_demonstrations().head(2).hash
