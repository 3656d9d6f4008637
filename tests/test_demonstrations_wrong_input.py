"""Wrong arrays: one sentence with file, field, finding and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_episodes import known_arrays, known_demonstrations, known_episodes, refused

from gail.demonstrations import Demonstrations
from gail.errors import DemonstrationError


def saved(folder: Path, fields: dict[str, Any]) -> Path:
    np.savez_compressed(folder / "mine.npz", allow_pickle=False, **fields)
    return folder / "mine.npz"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["observations", "actions", "rewards"])
def test_values_that_are_not_finite_are_located(field: str, value: float, tmp_path: Path) -> None:
    fields = known_arrays()
    row = (6 if field == "observations" else 5) + 1  # the second row of the second episode
    fields[field][row] = value
    refused(
        saved(tmp_path, fields), f"mine.npz: field {field} holds {value} in episode 1, row 1 .1 of"
    )


def test_numbers_beyond_float32_are_refused(tmp_path: Path) -> None:
    fields = known_arrays()
    fields["actions"] = fields["actions"].astype(np.float64)
    fields["actions"][0] = 1e300
    refused(saved(tmp_path, fields), "actions holds inf in episode 0, row 0")


@pytest.mark.parametrize(("steps", "found"), [(0, "no steps"), (1, "one step")])
def test_empty_and_one_step_episodes(steps: int, found: str, tmp_path: Path) -> None:
    fields = known_arrays()
    fields["lengths"] = np.array([5, steps, 5])
    refused(saved(tmp_path, fields), rf"field lengths: 1 of 3 episodes .* \(episode 1 has {found}")
    short = known_episodes()[0]
    short = short._replace(
        observations=short.observations[: steps + 1],
        actions=short.actions[:steps],
        rewards=None if short.rewards is None else short.rewards[:steps],
    )
    with pytest.raises(DemonstrationError, match=found):
        Demonstrations.from_episodes([known_episodes()[1], short])


def test_no_episodes() -> None:
    with pytest.raises(DemonstrationError, match="holds no episodes"):
        Demonstrations.from_episodes([])


@pytest.mark.parametrize(
    ("field", "rows"), [("observations", 12), ("actions", 12), ("rewards", 14), ("actions", 0)]
)
def test_unequal_lengths(field: str, rows: int, tmp_path: Path) -> None:
    fields = known_arrays()
    fields[field] = np.resize(fields[field], (rows, *fields[field].shape[1:]))
    refused(saved(tmp_path, fields), rf"field {field} has {rows} rows, expected \d+ for 3 episodes")


def test_unequal_lengths_inside_an_episode() -> None:
    first, second, _ = known_episodes()
    with pytest.raises(DemonstrationError, match=r"episode 1: 3 actions need 4 observations .* 3"):
        Demonstrations.from_episodes(
            [first, second._replace(observations=second.observations[:-1])]
        )
    with pytest.raises(DemonstrationError, match=r"episode 1: field rewards has shape \(2,\)"):
        Demonstrations.from_episodes([first, second._replace(rewards=np.zeros(2))])
    with pytest.raises(DemonstrationError, match="rewards is there for some episodes only"):
        Demonstrations.from_episodes([first, second._replace(rewards=None)])
    with pytest.raises(DemonstrationError, match="4 wide but 2 wide in episode 0"):
        Demonstrations.from_episodes([first, second._replace(actions=np.zeros((3, 4)))])


@pytest.mark.parametrize("flags", ["terminated", "truncated"])
def test_flags_that_fit_neither_episodes_nor_steps(flags: str, tmp_path: Path) -> None:
    fields = known_arrays() | {flags: np.zeros(4, np.bool_)}
    refused(saved(tmp_path, fields), f"field {flags} has 4 flags, expected .* 3 episodes .* 13")


def test_swapped_arrays_are_recognised_by_their_rows(tmp_path: Path) -> None:
    fields = known_arrays()
    fields["observations"], fields["actions"] = fields["actions"], fields["observations"]
    refused(saved(tmp_path, fields), "observations and actions look exchanged: .*swap")


@pytest.mark.parametrize("field", ["observations", "actions"])
def test_missing_fields(field: str, tmp_path: Path) -> None:
    fields = known_arrays()
    del fields[field]
    refused(saved(tmp_path, fields), f"has no field {field}, expected one of {field}, ")


def test_arrays_without_episode_ends(tmp_path: Path) -> None:
    flat = {"obs": np.zeros((10, 3)), "acts": np.zeros((10, 2))}
    refused(saved(tmp_path, flat), "does not tell where episodes end; add lengths")


def test_lengths_that_are_no_counts(tmp_path: Path) -> None:
    refused(
        saved(tmp_path, known_arrays() | {"lengths": np.array([5.5, 2.5, 5])}), "one whole number"
    )
    refused(
        saved(tmp_path, known_arrays() | {"lengths": np.array([[5, 3, 5]])}), "one whole number"
    )


def test_padded_arrays_with_lengths_that_do_not_fit(tmp_path: Path) -> None:
    padded = {"obs": np.zeros((2, 4, 3)), "acts": np.zeros((2, 4, 2))}
    refused(saved(tmp_path, padded | {"lengths": np.array([4, 5])}), "does not fit 2 episodes")
    refused(saved(tmp_path, padded | {"lengths": np.array([4])}), "does not fit 2 episodes")


def test_images_and_texts(tmp_path: Path) -> None:
    images = known_arrays() | {"observations": np.zeros((16, 4, 4, 3), np.uint8)}
    refused(saved(tmp_path, images), r"observations has shape \(16, 4, 4, 3\).*flatten")
    texts = known_arrays() | {"actions": np.array(["left"] * 13)}
    refused(saved(tmp_path, texts), "field actions holds <U4 values, expected numbers")


def test_next_observations_out_of_time_order(tmp_path: Path) -> None:
    known = known_demonstrations()
    obs, action, next_obs, _ = (column.numpy() for column in known.transitions())
    chain = {"observations": obs, "actions": action, "next_observations": next_obs}
    order = np.random.default_rng(0).permutation(len(obs))
    shuffled = {field: values[order] for field, values in chain.items()}
    refused(saved(tmp_path, shuffled), "save whole episodes in time order")
    wrong = saved(tmp_path, chain | {"lengths": np.array([6, 2, 5])})
    refused(wrong, "next_observations, row 4, is not row 5 of observations")


def test_more_trajectories_than_there_are(tmp_path: Path) -> None:
    path = saved(tmp_path, known_arrays())
    for asked in (4, 0, -1):
        refused(
            path, f"{asked} trajectories were asked for and the file holds 3", trajectories=asked
        )


def test_a_file_of_another_task(tmp_path: Path) -> None:
    path = saved(tmp_path, known_arrays() | {"env_id": np.array("Hopper-v5")})
    refused(path, "env_id says Hopper-v5 but the task is Ant-v5", env_id="Ant-v5")


def test_flat_arrays_given_directly_are_checked_too() -> None:
    observations, actions = np.zeros((3, 2)), np.zeros((2, 1))
    flag = np.array([True])
    with pytest.raises(DemonstrationError, match=r"truncated has shape \(2,\), expected one flag"):
        Demonstrations(observations, actions, np.array([2]), flag, np.zeros(2))
    with pytest.raises(DemonstrationError, match=r"actions has shape \(2,\), expected one row"):
        Demonstrations(observations, actions[:, 0], np.array([2]), flag, flag)
