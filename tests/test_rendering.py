"""Laws of drawing and writing. They hold where OpenGL works and where it does not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from experts import point_mass_demonstrations
from imageio_ffmpeg import count_frames_and_secs
from PIL import Image

from envs import toy
from gail import gl, movies
from gail.demonstrations import Demonstrations
from gail.painters import MujocoPainter
from gail.playing import RandomPolicy, make, play
from gail.rendering import Film, Layout, RenderingError, can_show, poses, record


def random_policy(env_id: str) -> RandomPolicy:
    return RandomPolicy(make(env_id).action_space)


def recorded(env_id: str, episodes: int = 2) -> Demonstrations:
    played = play(random_policy(env_id), env_id, episodes, seed=1000)
    return Demonstrations.from_episodes([each.episode for each in played], env_id=env_id)


def frames(path: Path) -> list[np.ndarray]:
    return [np.asarray(frame)[..., :3] for frame in imageio.mimread(path)]


def solid(count: int) -> Iterator[movies.Picture]:
    for i in range(count):
        yield np.full((64, 96, 3), 10 * i, np.uint8)


def test_one_performance_is_written_in_every_form(tmp_path: Path) -> None:
    files = [tmp_path / f"toy.{suffix}" for suffix in ("mp4", "gif", "png")]
    film = Film(size=96, every=2, steps=20)
    record(random_policy(toy.ID), toy.ID, files, beside=recorded(toy.ID), film=film)
    drawn = frames(files[1])
    assert count_frames_and_secs(str(files[0]))[0] == len(drawn) >= 8
    height, width, _ = drawn[0].shape
    assert width == 2 * 96 + movies.GAP
    assert height > 96  # the caption
    assert drawn[0].std() > 10  # not an empty picture
    assert np.abs(drawn[0].astype(int) - drawn[-1]).max() > 50  # it moves
    assert imageio.imread(files[2]).shape[1] == 3 * width + 2 * movies.GAP
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.gif", "toy.mp4", "toy.png"]


def test_real_time_is_the_default_speed(tmp_path: Path) -> None:
    record(random_policy(toy.ID), toy.ID, tmp_path / "a.gif", film=Film(size=32, every=5, steps=10))
    with Image.open(tmp_path / "a.gif") as image:
        assert image.info["duration"] == 500  # 10 steps a second, every 5th


def test_a_side_that_ends_first_keeps_its_last_picture(tmp_path: Path) -> None:
    short = recorded(toy.ID).head(1)
    film = Film(size=64, every=1, episodes=2, steps=40)
    record(random_policy(toy.ID), toy.ID, tmp_path / "a.gif", beside=short, film=film)
    pictures = frames(tmp_path / "a.gif")
    assert len({picture.shape for picture in pictures}) == 1


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    def broken() -> Iterator[movies.Picture]:
        yield from solid(3)
        raise RuntimeError("simulated")

    for suffix in movies.SUFFIXES:
        path = tmp_path / f"film{suffix}"
        path.write_bytes(b"old")
        with pytest.raises(RuntimeError, match="simulated"):
            movies.write(broken(), [path], 10.0)
        assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == len(movies.SUFFIXES)


def test_a_contact_sheet_is_evenly_spaced_however_long_the_film(tmp_path: Path) -> None:
    for count in (1, 5, 200):
        pictures = (np.full((20, 20, 3), 255 * i // count, np.uint8) for i in range(count))
        movies.write(pictures, [tmp_path / "sheet.png"], 10.0)
        sheet = imageio.imread(tmp_path / "sheet.png")
        tiles = sheet[10::24, 10::24, 0].flatten().astype(int)
        assert len(tiles) == 12
        assert (np.diff(tiles) >= 0).all()
        assert tiles[0] == 0
        assert tiles[-1] >= 255 * 0.9 * (count - 1) / count - 1


def test_pictures_of_any_shape_become_squares() -> None:
    for shape in ((40, 80, 3), (80, 40, 3), (7, 7, 3)):
        assert movies.fit(np.full(shape, 200, np.uint8), 48).shape == (48, 48, 3)


@pytest.mark.parametrize(
    ("env_id", "clip"), [("Hopper-v5", 10.0), ("Ant-v5", np.inf), ("Humanoid-v5", np.inf)]
)
def test_recorded_poses_are_those_simulated(env_id: str, clip: float) -> None:
    env = make(env_id)
    bare = env.unwrapped
    obs, _ = env.reset(seed=0)
    env.action_space.seed(0)
    observations, positions, velocities = [obs], [bare.data.qpos.copy()], [bare.data.qvel.copy()]
    for _ in range(15):
        observations.append(env.step(env.action_space.sample())[0])
        positions.append(bare.data.qpos.copy())
        velocities.append(bare.data.qvel.copy())
    known = bare.observation_structure
    layout = Layout(known["skipped_qpos"], known["qpos"], known["qvel"])
    found, speeds = poses(np.array(observations), layout, bare.dt)
    true = np.array(positions)
    travelled = true[:, : layout.skipped] - true[0, : layout.skipped]
    np.testing.assert_array_equal(found[:, layout.skipped :], true[:, layout.skipped :])
    np.testing.assert_allclose(found[:, : layout.skipped], travelled, atol=0.02)
    np.testing.assert_allclose(speeds, np.clip(velocities, -clip, clip))


def sentence_of(action: Callable[[], object]) -> str | None:
    """Why nothing can be drawn here, or None where it can."""
    try:
        action()
    except RenderingError as error:
        return str(error)
    return None


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Humanoid-v5"])
def test_a_mujoco_task_is_drawn_or_a_sentence_says_what_to_install(
    env_id: str, tmp_path: Path
) -> None:
    path, expert, policy = tmp_path / "a.gif", recorded(env_id), random_policy(env_id)
    film = Film(size=64, steps=12, every=2)
    sentence = sentence_of(lambda: record(policy, env_id, path, beside=expert, film=film))
    if sentence is not None:
        assert "apt-get install" in sentence
        assert "\n" not in sentence
        assert not path.exists()
    else:
        last = frames(path)[-1]
        assert last[:64, :64].std() > 5
        assert np.abs(last[:64, :64].astype(int) - last[:64, -64:]).max() > 20  # two episodes


def test_the_floor_goes_with_the_robot_by_whole_tiles() -> None:
    env = make("Hopper-v5")
    env.reset(seed=0)
    sentence = sentence_of(lambda: MujocoPainter(env, 64).close())
    if sentence is not None:
        assert "apt-get install" in sentence
        return
    painter, bare = MujocoPainter(env, 64), env.unwrapped
    pictures = []
    for x in (0.0, 0.5, 300 * painter.floors[0][0]):
        bare.set_state(np.array([x, 1.25, 0.0, 0.0, 0.0, 0.0]), np.zeros(6))
        pictures.append(painter.paint(env).astype(int))
    painter.close()
    start, moved, far = pictures
    assert np.abs(start - moved).mean() > 5  # the floor passes below
    assert np.abs(start - far).mean() < 1


def test_without_opengl_the_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "off")
    with pytest.raises(RenderingError, match="apt-get install") as caught:
        record(random_policy("Hopper-v5"), "Hopper-v5", tmp_path / "a.gif")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    record(random_policy(toy.ID), toy.ID, tmp_path / "toy.gif", film=Film(size=32, steps=4))


def test_a_backend_is_tried_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = set(sys.modules)
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    sentence = sentence_of(gl.backend)
    assert sentence is None or "osmesa" in sentence
    assert not {name for name in sys.modules if "osmesa" in name} - loaded


def test_what_mujoco_gl_names_is_the_only_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    assert gl.candidates() == ("glfw",)
    monkeypatch.delenv("MUJOCO_GL")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert gl.candidates() == ("egl", "osmesa")


def test_demonstrations_that_cannot_be_replayed_are_told(tmp_path: Path) -> None:
    without_seeds = point_mass_demonstrations(2)
    assert can_show(recorded(toy.ID), toy.ID)
    assert not can_show(without_seeds, toy.ID)
    with pytest.raises(RenderingError, match="neither joint positions nor reset seeds"):
        record(random_policy(toy.ID), toy.ID, tmp_path / "a.gif", beside=without_seeds)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "film", "told"),
    [
        ("a.avi", Film(), "does not end in .mp4, .gif or .png"),
        ("a.gif", Film(size=33), "even number of pixels"),
        ("a.gif", Film(every=0), "every is 0"),
        ("a.gif", Film(fps=-1.0), "fps is -1.0"),
        ("a.mp4", Film(fps=float("nan")), "fps is nan"),
        ("a.gif", Film(size=100_000), "size is 100000"),
        ("a.gif", Film(seed=-1), "seed is -1"),
    ],
)
def test_wrong_input_gets_a_sentence(tmp_path: Path, name: str, film: Film, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        record(random_policy(toy.ID), toy.ID, tmp_path / name, film=film)
    assert not list(tmp_path.iterdir())


def test_demonstrations_of_another_task_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="11 wide"):
        record(random_policy(toy.ID), toy.ID, tmp_path / "a.gif", beside=recorded("Hopper-v5"))
