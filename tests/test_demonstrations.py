"""Laws of Demonstrations: joining, cutting, thinning, hashing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from known_episodes import ACTION_WIDTH, ENDS, OBSERVATION_WIDTH, known_demonstrations

from gail import shipped
from gail.demonstrations import Demonstrations
from gail.errors import DemonstrationError

LENGTHS = [steps for steps, _ in ENDS]


def test_episodes_come_back_as_they_were_joined() -> None:
    demos = known_demonstrations()
    again = Demonstrations.from_episodes(demos.episodes(), env_id=demos.env_id)
    assert again.hash == demos.hash
    assert demos.num_episodes == len(ENDS)
    assert demos.num_transitions == sum(LENGTHS)
    assert (demos.observation_dim, demos.action_dim) == (OBSERVATION_WIDTH, ACTION_WIDTH)
    assert [episode.terminated for episode in demos.episodes()] == [end for _, end in ENDS]
    assert demos.seeds is not None
    assert [episode.seed for episode in demos.episodes()] == demos.seeds.tolist()


def test_returns_sum_each_episodes_rewards() -> None:
    demos = known_demonstrations()
    sums = [np.sum(episode.rewards) for episode in demos.episodes()]
    assert demos.returns == pytest.approx(sums)
    assert known_demonstrations(rewards=False).returns is None


def test_an_episode_with_neither_flag_counts_as_truncated() -> None:
    open_end = [episode._replace(truncated=False) for episode in known_demonstrations().episodes()]
    demos = Demonstrations.from_episodes(open_end)
    assert (demos.terminated | demos.truncated).all()


def test_making_demonstrations_leaves_the_given_arrays_alone() -> None:
    demos = known_demonstrations()
    truncated = np.zeros(3, dtype=np.bool_)
    Demonstrations(
        demos.observations, demos.actions, demos.lengths, np.zeros(3, np.bool_), truncated
    )
    assert not truncated.any()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_head_keeps_the_first_episodes(count: int) -> None:
    demos = known_demonstrations()
    kept = demos.head(count)
    for ours, theirs in zip(kept.episodes(), demos.episodes(), strict=False):
        np.testing.assert_array_equal(ours.observations, theirs.observations)
        np.testing.assert_array_equal(ours.actions, theirs.actions)
    assert kept.lengths.tolist() == LENGTHS[:count]
    assert (kept.env_id, kept.mujoco_version) == (demos.env_id, demos.mujoco_version)


def test_hash_is_of_the_content_alone() -> None:
    demos = known_demonstrations()
    episodes = [episode._replace(seed=None) for episode in demos.episodes()]
    assert Demonstrations.from_episodes(episodes, name="other.npz").hash == demos.hash
    assert demos.head(3).hash == demos.hash


@pytest.mark.parametrize("field", ["observations", "actions", "rewards"])
def test_hash_changes_with_any_number(field: str) -> None:
    demos = known_demonstrations()
    episodes = list(demos.episodes())
    changed = np.array(getattr(episodes[1], field))
    changed.flat[-1] = np.nextafter(changed.flat[-1], np.float32(9))
    episodes[1] = episodes[1]._replace(**{field: changed})
    assert Demonstrations.from_episodes(episodes).hash != demos.hash


def test_hash_changes_with_order_ends_and_missing_rewards() -> None:
    demos = known_demonstrations()
    episodes = list(demos.episodes())
    others = [
        Demonstrations.from_episodes(episodes[::-1]),
        Demonstrations.from_episodes([e._replace(terminated=False) for e in episodes]),
        known_demonstrations(rewards=False),
    ]
    assert len({demos.hash, *(other.hash for other in others)}) == 4


def test_transitions_are_the_steps_of_the_episodes() -> None:
    demos = known_demonstrations()
    obs, action, next_obs, terminated = demos.transitions()
    episodes = list(demos.episodes())
    np.testing.assert_array_equal(obs, np.concatenate([e.observations[:-1] for e in episodes]))
    np.testing.assert_array_equal(next_obs, np.concatenate([e.observations[1:] for e in episodes]))
    np.testing.assert_array_equal(action, np.concatenate([e.actions for e in episodes]))
    ends = np.cumsum(LENGTHS) - 1
    assert np.flatnonzero(terminated).tolist() == [
        end for end, (_, fell) in zip(ends, ENDS, strict=True) if fell
    ]
    assert {obs.dtype, action.dtype, next_obs.dtype} == {torch.float32}


@pytest.mark.parametrize("every", [1, 2, 3, 4, 20])
def test_thinning_keeps_every_kth_step_from_an_offset_below_k(every: int) -> None:
    demos = known_demonstrations()
    everything = demos.transitions()
    for seed in range(10):
        kept = demos.transitions(every, seed=seed)
        # Observations are unique, so each kept row can be found again.
        same = (kept.obs[:, None] == everything.obs[None]).all(dim=2)
        rows = same.int().argmax(dim=1)
        for own, value in zip(kept, everything, strict=True):
            assert torch.equal(own, value[rows])
        start = 0
        for length in LENGTHS:
            inside = rows[(rows >= start) & (rows < start + length)] - start
            assert inside[0] < min(every, length)
            assert (inside.diff() == every).all()
            assert inside[-1] + every >= length
            start += length


def test_thinning_draws_offsets_by_seed() -> None:
    demos = known_demonstrations()
    kept = [demos.transitions(3, seed=seed).obs for seed in range(20)]
    assert torch.equal(kept[0], demos.transitions(3, seed=0).obs)
    assert len({obs.numpy().tobytes() for obs in kept}) > 5


def test_transitions_belong_to_the_caller() -> None:
    demos = known_demonstrations()
    demos.transitions().obs.zero_()
    assert demos.hash == known_demonstrations().hash


def test_thinning_by_less_than_one_is_refused() -> None:
    with pytest.raises(DemonstrationError, match="every is 0"):
        known_demonstrations().transitions(0)


def test_repr_tells_what_is_inside() -> None:
    text = repr(known_demonstrations())
    for told in ("'known'", "Pendulum-v1", "3 episodes", "13 transitions", "MuJoCo 4.0.0"):
        assert told in text
    assert "return unknown" in repr(known_demonstrations(rewards=False))


def test_shipped_data_is_found_in_a_checkout_and_in_a_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = (tmp_path / "checkout", tmp_path / "wheel")
    monkeypatch.setattr(shipped, "FOLDERS", folders)
    known_demonstrations().save(folders[1] / "pendulum-v1.npz")
    assert Demonstrations.shipped("Pendulum-v1").hash == known_demonstrations().hash
    known_demonstrations().head(2).save(folders[0] / "pendulum-v1.npz")
    assert Demonstrations.shipped("Pendulum-v1").num_episodes == 2
    with pytest.raises(DemonstrationError, match=r"Ant-v5 are shipped \(there are: pendulum-v1\)"):
        Demonstrations.shipped("Ant-v5")


def box(width: int, reach: float = 1.0) -> Box:
    return Box(-reach, reach, (width,), np.float32)


def check(demos: Demonstrations, env_id: str, observations: int, actions: Box | Discrete) -> None:
    demos.check_for(env_id, Box(-np.inf, np.inf, (observations,), np.float64), actions)


def wide(observations: int, actions: int, env_id: str | None = None) -> Demonstrations:
    """Two steps of a task with these widths."""
    return Demonstrations(
        np.zeros((3, observations)),
        np.zeros((2, actions)),
        np.array([2]),
        np.array([False]),
        np.array([True]),
        env_id=env_id,
        name="mine.npz",
    )


def test_fitting_demonstrations_pass() -> None:
    check(wide(105, 8), "Ant-v5", 105, box(8))
    check(wide(105, 8, "Ant-v5"), "Ant-v5", 105, box(8))
    wide(4, 2, "Ant-v5").check_for(None, box(4), box(2))


@pytest.mark.parametrize(
    ("demos", "env_id", "observations", "actions", "sentence"),
    [
        (wide(27, 8), "Ant-v5", 105, box(8), "27 wide as in Ant-v4 .* Ant-v5 has 105; record"),
        (wide(111, 8), "Ant-v5", 105, box(8), "111 wide as in Ant-v4 with contact"),
        (wide(376, 17), "Humanoid-v5", 348, box(17, 0.4), "376 wide as in Humanoid-v4"),
        (wide(376, 17), "Humanoid-v5", 348, box(17, 0.4), "minari download mujoco/humanoid/exp"),
        (wide(376, 17, "Humanoid-v4"), "Humanoid-v5", 376, box(17), "with --env Humanoid-v4"),
        (wide(11, 8), "Ant-v5", 105, box(8), "field observations is 11 wide, but Ant-v5 has 105"),
        (wide(105, 6), "Ant-v5", 105, box(8), "field actions is 6 wide, but Ant-v5 has 8"),
        (wide(8, 105), "Ant-v5", 105, box(8), "look exchanged: .*swap the two arrays"),
        (wide(17, 6, "Walker2d-v5"), "HalfCheetah-v5", 17, box(6), "--env Walker2d-v5"),
        (wide(105, 8, "Ant-v4"), "Ant-v5", 105, box(8), "env_id says Ant-v4 .*versions differ"),
        (wide(4, 1), "CartPole-v1", 4, Discrete(2), "CartPole-v1 has action space Discrete"),
    ],
)
def test_demonstrations_of_another_task_are_refused(
    demos: Demonstrations, env_id: str, observations: int, actions: Box, sentence: str
) -> None:
    with pytest.raises(DemonstrationError, match=f"mine.npz: .*{sentence}|^{sentence}"):
        check(demos, env_id, observations, actions)


def acting(*values: float) -> Demonstrations:
    return Demonstrations(
        np.zeros((len(values) + 1, 3)),
        np.array(values)[:, None],
        np.array([len(values)]),
        np.array([False]),
        np.array([True]),
        name="mine.npz",
    )


def test_actions_outside_the_box_are_counted_and_the_largest_is_named() -> None:
    sentence = r"actions: 2 of 4 rows leave Toy-v0's action box \[-1, 1\], the largest .* is 3.5; "
    with pytest.raises(DemonstrationError, match=sentence + ".*clip them"):
        check(acting(0, -1, 2, -3.5), "Toy-v0", 3, box(1))


def test_actions_may_leave_the_box_by_rounding() -> None:
    check(acting(1.00005, -1), "Toy-v0", 3, box(1))


def test_actions_scaled_to_one_are_recognised() -> None:
    with pytest.raises(DemonstrationError, match=r"scaled to \[-1, 1\]: multiply them by 0.4\."):
        check(acting(0.9, -1), "Toy-v0", 3, box(1, 0.4))
    with pytest.raises(DemonstrationError, match=r"multiply them by 0.5 and add the box's middle"):
        check(acting(0.9, -1), "Toy-v0", 3, Box(0, 1, (1,)))


@pytest.mark.parametrize(("reach", "factor"), [(1.0, "0.4"), (2.0, "0.2"), (40.0, "0.01")])
def test_actions_of_another_scale_are_refused_with_the_factor(reach: float, factor: str) -> None:
    """An expert uses its box to the ends, and what was clipped there tells where they are."""
    half = 0.4
    played = np.clip(np.random.default_rng(0).normal(0, half, 200), -half, half)
    check(acting(*played), "Humanoid-v5", 3, box(1, half))
    with pytest.raises(DemonstrationError, match=rf"multiply them by {factor}\.$"):
        check(acting(*(played / half * reach)), "Humanoid-v5", 3, box(1, half))


def test_raw_outputs_are_no_other_scale() -> None:
    raw = np.random.default_rng(0).normal(0, 1, 200)
    with pytest.raises(DemonstrationError, match="raw outputs"):
        check(acting(*raw), "Humanoid-v5", 3, box(1, 0.4))


def test_uneven_boxes_are_shown_whole() -> None:
    uneven = Box(np.array([-1, -2]), np.array([1, 2]), dtype=np.float32)
    shape = (np.zeros((3, 3)), np.full((2, 2), 5.0), np.array([2]))
    demos = Demonstrations(*shape, np.array([False]), np.array([True]))
    with pytest.raises(DemonstrationError, match=r"box \[\[-1.0, -2.0\], \[1.0, 2.0\]\]"):
        check(demos, "Toy-v0", 3, uneven)
