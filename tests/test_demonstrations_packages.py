"""The same episodes to and from ``imitation`` and Minari, both ways and in their own files."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import minari
import numpy as np
import pytest
from imitation.data import rollout, serialize, types
from imitation.data.wrappers import RolloutInfoWrapper
from known_episodes import known_demonstrations, known_episodes
from minari.data_collector.episode_buffer import EpisodeBuffer
from minari.dataset.minari_storage import MinariStorage
from stable_baselines3.common.vec_env import DummyVecEnv

from gail.demonstrations import Demonstrations, Episode
from gail.errors import DemonstrationError
from generative.files import FileError

FIXTURES = Path(__file__).parent / "fixtures"
EPISODES = known_episodes()


@pytest.mark.parametrize(
    "name",
    [
        "imitation",
        "minari/toy/expert-v0",
        "minari/toy/expert-v0/data",
        "minari/toy/expert-v0/data/main_data.hdf5",
    ],
)
def test_files_of_other_packages_hold_the_known_episodes(name: str) -> None:
    assert Demonstrations.load(FIXTURES / name).hash == known_demonstrations().hash


def test_imitations_old_npz_is_read_without_its_pickled_infos() -> None:
    demos = Demonstrations.load(FIXTURES / "imitation_old.npz")
    known = known_demonstrations()
    np.testing.assert_array_equal(demos.observations, known.observations)
    np.testing.assert_array_equal(demos.actions, known.actions)
    assert demos.returns == pytest.approx(known.returns)
    assert demos.lengths.tolist() == known.lengths.tolist()


@pytest.mark.parametrize("rewards", [True, False])
def test_imitation_reads_what_is_written_for_it(tmp_path: Path, rewards: bool) -> None:
    demos = known_demonstrations(rewards=rewards)
    demos.to_imitation(tmp_path / "saved")
    trajectories = serialize.load(tmp_path / "saved")
    assert all(isinstance(t, types.TrajectoryWithRew) == rewards for t in trajectories)
    for trajectory, episode in zip(trajectories, demos.episodes(), strict=True):
        np.testing.assert_array_equal(trajectory.obs, episode.observations)
        np.testing.assert_array_equal(trajectory.acts, episode.actions)
    again = Demonstrations.load(tmp_path / "saved")
    assert again.hash == demos.hash
    assert (again.env_id, again.mujoco_version) == (demos.env_id, demos.mujoco_version)


@pytest.mark.filterwarnings("ignore:keys will default to True in jsonpickle")
def test_what_imitation_records_is_read(tmp_path: Path) -> None:
    venv = DummyVecEnv([lambda: RolloutInfoWrapper(gymnasium.make("Pendulum-v1"))])
    recorded = rollout.rollout(
        None,
        venv,
        rollout.make_min_episodes(2),
        rng=np.random.default_rng(0),
        exclude_infos=False,
        verbose=False,
    )
    serialize.save(tmp_path / "theirs", recorded)
    demos = Demonstrations.load(tmp_path / "theirs", env_id="Pendulum-v1")
    for theirs, ours in zip(recorded, demos.episodes(), strict=True):
        np.testing.assert_array_equal(ours.observations, theirs.obs)
        np.testing.assert_array_equal(ours.actions, theirs.acts)
        np.testing.assert_array_equal(ours.rewards, theirs.rews.astype(np.float32))
        assert (ours.terminated, ours.truncated) == (False, True)


def trajectory(episode: Episode, infos: Any) -> types.TrajectoryWithRew:
    return types.TrajectoryWithRew(
        episode.observations, episode.actions, infos, True, np.asarray(episode.rewards)
    )


def test_trajectory_objects_tell_truncation_in_their_last_info() -> None:
    told = [
        trajectory(
            e, np.array([{}] * (len(e.actions) - 1) + [{"TimeLimit.truncated": e.truncated}])
        )
        for e in EPISODES
    ]
    assert Demonstrations.from_trajectories(told).hash == known_demonstrations().hash
    untold = Demonstrations.from_trajectories([trajectory(e, None) for e in EPISODES])
    assert untold.terminated.tolist() == [False, True, False]
    fragment = [types.Trajectory(e.observations, e.actions, None, False) for e in EPISODES]
    assert Demonstrations.from_trajectories(fragment).truncated.all()


def test_infos_that_imitation_would_unpickle_on_access_are_left_alone() -> None:
    class Forbidden:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> Any:
            raise AssertionError("an info was decoded")

    lazy = [SimpleNamespace(**vars(trajectory(e, None))) for e in EPISODES]
    for item in lazy:
        item.infos = Forbidden()
    assert Demonstrations.from_trajectories(lazy).num_episodes == 3


def test_trajectory_objects_need_flat_observations() -> None:
    nested = types.Trajectory(
        types.DictObs({"a": np.zeros((3, 2))}), np.zeros((2, 1)), infos=None, terminal=True
    )
    with pytest.raises(DemonstrationError, match="a dictionary for obs"):
        Demonstrations.from_trajectories([nested])
    with pytest.raises(DemonstrationError, match="no acts"):
        Demonstrations.from_trajectories([SimpleNamespace(obs=np.zeros((3, 2)))])


@pytest.mark.parametrize("rewards", [True, False])
def test_minari_reads_what_is_written_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rewards: bool
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    demos = known_demonstrations(rewards=rewards)
    demos.to_minari(tmp_path / "toy" / "expert-v3")
    dataset = minari.load_dataset("toy/expert-v3")
    assert dataset.total_steps == demos.num_transitions
    for theirs, ours in zip(dataset, demos.episodes(), strict=True):
        np.testing.assert_array_equal(theirs.observations, ours.observations)
        np.testing.assert_array_equal(theirs.actions, ours.actions)
        assert theirs.terminations[-1] == ours.terminated
        assert not theirs.terminations[:-1].any()
    again = Demonstrations.load("toy/expert-v3")
    assert again.hash == demos.hash
    assert (again.env_id, again.mujoco_version) == (demos.env_id, demos.mujoco_version)
    assert again.seeds is not None
    assert again.seeds.tolist() == [1000, 1001, 1002]


def test_what_minari_writes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = gymnasium.make("Pendulum-v1", max_episode_steps=20)
    buffers = [buffer(env, seed) for seed in (3, 4)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for an author and a link
        dataset = minari.create_dataset_from_buffers(
            "pendulum/random-v0", buffers, env, ref_min_score=-1.0, ref_max_score=0.0
        )
    demos = Demonstrations.load("pendulum/random-v0")
    assert demos.env_id == "Pendulum-v1"
    assert demos.seeds is not None
    assert demos.seeds.tolist() == [3, 4]
    for theirs, ours in zip(dataset, demos.episodes(), strict=True):
        np.testing.assert_array_equal(ours.observations, theirs.observations)
        np.testing.assert_array_equal(ours.actions, theirs.actions)
        np.testing.assert_array_equal(ours.rewards, theirs.rewards.astype(np.float32))
        assert (ours.terminated, ours.truncated) == (False, True)


def buffer(env: gymnasium.Env[Any, Any], seed: int) -> EpisodeBuffer:
    """An episode of random actions, as Minari keeps one before it writes it."""
    observations, steps, done = [env.reset(seed=seed)[0]], [], False
    while not done:
        action = env.action_space.sample()
        obs, reward, terminated, done, _ = env.step(action)
        observations.append(obs)
        steps.append((action, reward, terminated, done))
    actions, rewards, terminations, truncations = zip(*steps, strict=True)
    return EpisodeBuffer(
        seed=seed,
        observations=np.stack(observations),
        actions=np.stack(actions),
        rewards=list(rewards),
        terminations=list(terminations),
        truncations=list(truncations),
    )


def test_minari_datasets_in_arrow_are_read(tmp_path: Path) -> None:
    demos = known_demonstrations()
    demos.to_minari(tmp_path / "h5-v0")
    source = minari.MinariDataset(tmp_path / "h5-v0" / "data")
    (tmp_path / "arrow-v0").mkdir()
    storage = MinariStorage.new(
        tmp_path / "arrow-v0" / "data",
        observation_space=source.observation_space,
        action_space=source.action_space,
        data_format="arrow",
    )
    storage.update_metadata({"dataset_id": "arrow-v0", "minari_version": minari.__version__})
    fields = ("observations", "actions", "rewards", "terminations", "truncations")
    storage.update_episodes(
        EpisodeBuffer(**{field: getattr(episode, field) for field in fields}) for episode in source
    )
    assert Demonstrations.load(tmp_path / "arrow-v0").hash == demos.hash


def test_a_minari_id_needs_a_version_and_a_local_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "none"))
    with pytest.raises(DemonstrationError, match="minari download mujoco/ant/expert-v0"):
        Demonstrations.load("mujoco/ant/expert-v0")
    with pytest.raises(DemonstrationError, match=r"is no Minari id.*-v0"):
        known_demonstrations().to_minari(tmp_path / "expert")
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "expert").exists()


@pytest.mark.parametrize("method", ["to_imitation", "to_minari"])
def test_folders_are_replaced_only_when_asked_and_only_their_own_kind(
    method: str, tmp_path: Path
) -> None:
    known, target = known_demonstrations(), tmp_path / "data-v0"
    getattr(known, method)(target)
    with pytest.raises(FileError, match="exists already"):
        getattr(known.head(1), method)(target)
    assert Demonstrations.load(target).hash == known.hash
    getattr(known.head(1), method)(target, overwrite=True)
    assert Demonstrations.load(target).num_episodes == 1
    other = tmp_path / "precious-v0"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match="is something else"):
        getattr(known, method)(other, overwrite=True)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data-v0", "precious-v0"]
