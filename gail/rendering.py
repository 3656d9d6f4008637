"""Pictures of policies and demonstrations: MP4, GIF and contact-sheet PNG, without a screen.

MuJoCo tasks are drawn without shadows and reflections (four times as fast in software), any
other task by its own ``render_mode="rgb_array"``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.checks import check_seed
from gail import movies
from gail.demonstrations import Demonstrations
from gail.episodes import Episode
from gail.film import Film
from gail.gl import RenderingError
from gail.movies import Picture
from gail.painters import Painter, stage
from gail.playing import Policy, make
from generative.files import require_writable

__all__ = ["Film", "RenderingError", "can_show", "moments", "record"]


def record(
    policy: Policy,
    env_id: str,
    out: Path | str | Sequence[Path | str],
    *,
    beside: Policy | Demonstrations | None = None,
    film: Film | None = None,
) -> None:
    """Play a policy in the official environment and record it.

    Args:
        policy: anything with SB3's ``predict``; its mean actions are played.
        env_id: Gymnasium id.
        out: one file, or several of the same performance; the suffix decides: ``.mp4``,
            ``.gif``, or ``.png`` for a contact sheet. Each is replaced in one piece.
        beside: an expert to show on the left: its demonstrations or another policy.
        film: episodes, size, speed and captions.

    Raises:
        RenderingError: if nothing can be drawn here, or a suffix is unknown.
        ValueError: if the environment is unknown, the demonstrations are of another task, or a
            number of ``film`` is out of range.
    """
    film = film or Film()
    _check(film)
    paths = [Path(path) for path in ([out] if isinstance(out, str | Path) else out)]
    movies.check_suffixes(paths)
    for path in paths:
        require_writable(path)
    with ExitStack() as stack:
        env, painter = stage(env_id, film.size)
        stack.callback(env.close)
        stack.callback(painter.close)
        sides = [_episodes(policy, env, painter, film, film.name)]
        if beside is not None:
            second = make(env_id, env.render_mode)
            stack.callback(second.close)
            sides.insert(0, _episodes(beside, second, painter, film, film.beside_name))
        fps = film.fps or env.metadata.get("render_fps", 30) / film.every
        movies.write(_side_by_side(sides), paths, fps)


def moments(episode: Episode, env_id: str, steps: Sequence[int], size: int = 240) -> list[Picture]:
    """Pictures of some steps of a recorded episode.

    Args:
        episode: of the task.
        env_id: Gymnasium id.
        steps: which, of 0 to T.
        size: width and height in pixels.

    Raises:
        RenderingError: if nothing can be drawn here, or the episode cannot be replayed.
    """
    drawn: dict[int, Picture] = {}
    with ExitStack() as stack:
        env, painter = stage(env_id, size)
        stack.callback(env.close)
        stack.callback(painter.close)
        if not _replayable(env, episode):
            raise RenderingError("The episode holds neither joint positions nor a reset seed.")
        for step, _ in enumerate(_replayed(episode, env)):
            if step in steps:
                drawn[step] = painter.paint(env)
    return [drawn[step] for step in steps]


def can_show(demonstrations: Demonstrations, env_id: str) -> bool:
    """Whether :func:`record` can show these demonstrations beside a policy."""
    env = make(env_id)
    env.close()
    return _replayable(env, next(demonstrations.episodes()))


def _check(film: Film) -> None:
    for name in ("episodes", "steps", "every"):
        if getattr(film, name) < 1:
            raise RenderingError(f"{name} is {getattr(film, name)}; give at least 1.")
    if not 32 <= film.size <= 4096 or film.size % 2:
        raise RenderingError(f"size is {film.size}; give an even number of pixels, 32 to 4096.")
    if film.fps is not None and not 0 < film.fps <= 1000:
        raise RenderingError(f"fps is {film.fps}; give a number up to 1000, or leave it out.")
    check_seed(film.seed)


def _episodes(
    actor: Policy | Demonstrations,
    env: gym.Env[Any, Any],
    painter: Painter,
    film: Film,
    name: str,
) -> list[Iterator[Picture]]:
    """One iterator of captioned pictures for each episode."""
    if not isinstance(actor, Demonstrations):
        seeds = range(film.seed, film.seed + film.episodes)
        return [_captioned(_played(actor, env, seed), env, painter, film, name) for seed in seeds]
    env_id = env.spec.id if env.spec is not None else str(env.unwrapped)
    actor.check_for(env_id, env.observation_space, env.action_space)
    episodes = list(actor.episodes())[: film.episodes]
    if not _replayable(env, episodes[0]):
        raise RenderingError(
            f"{actor.name} holds neither joint positions nor reset seeds, so it cannot be shown; "
            "leave it out, or show a policy beside."
        )
    return [_captioned(_replayed(e, env), env, painter, film, name) for e in episodes]


def _captioned(
    rewards: Iterator[float | None],
    env: gym.Env[Any, Any],
    painter: Painter,
    film: Film,
    name: str,
) -> Iterator[Picture]:
    """Pictures of every k-th step, with the name and the return so far below them.

    Args:
        rewards: advances ``env`` by a step each, giving that step's reward.
        env: what is drawn.
        painter: draws it.
        film: size and speed.
        name: of the actor.
    """
    total = 0.0
    for step, reward in enumerate(rewards):
        total = total + reward if reward is not None else float("nan")
        if step > film.steps:
            return
        if step % film.every == 0:
            text = f"step {step}" if np.isnan(total) else f"step {step}   return {total:.0f}"
            yield movies.captioned(painter.paint(env), f"{name}   {text}")


def _played(policy: Policy, env: gym.Env[Any, Any], seed: int) -> Iterator[float]:
    """Step ``env`` with a policy until its episode ends; yields rewards, 0 for the start."""
    box = env.action_space
    assert isinstance(box, spaces.Box)
    obs, _ = env.reset(seed=seed)
    yield 0.0
    done = False
    while not done:
        actions, _ = policy.predict(np.asarray(obs, np.float32)[None], deterministic=True)
        action = np.clip(actions[0], box.low, box.high).astype(box.dtype)
        obs, reward, terminated, truncated, _ = env.step(action)
        done = terminated or truncated
        yield float(reward)


def _replayed(episode: Episode, env: gym.Env[Any, Any]) -> Iterator[float | None]:
    """Put a recorded episode into ``env`` step by step; yields rewards, None where unknown.

    MuJoCo's v5 observations hold all positions but the first few (the travel over ground), and
    all velocities. So poses are read, not simulated again: this is right for any version of the
    physics. Other tasks are replayed by their actions from the recorded reset seed.
    """
    rewards: list[float | None] = [None] * len(episode.observations)
    if episode.rewards is not None:
        rewards = [0.0, *episode.rewards]
    bare: Any = env.unwrapped
    layout = _layout(env)
    env.reset(seed=episode.seed)
    if layout is None:
        yield rewards[0]
        for action, reward in zip(episode.actions, rewards[1:], strict=True):
            env.step(action)
            yield reward
        return
    for position, velocity, reward in zip(
        *poses(episode.observations, layout, bare.dt), rewards, strict=True
    ):
        bare.set_state(position, velocity)
        yield reward


class Layout(NamedTuple):
    """What a MuJoCo task's observation starts with."""

    skipped: int  # leading positions that are not observed
    positions: int  # observed positions
    velocities: int


def poses(
    observations: NDArray[Any], layout: Layout, dt: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joint positions and velocities of a recorded MuJoCo episode.

    Args:
        observations: (T + 1, O), starting with positions and velocities.
        layout: how many of each. Skipped positions are integrated from the velocities of the
            same index (trapezoidal rule) and start at zero.
        dt: seconds a step.

    Returns:
        Positions (T + 1, skipped + positions) and velocities (T + 1, velocities).

    >>> obs = np.array([[0.5, 1.0, 0.0], [0.5, 3.0, 0.0]])
    >>> poses(obs, Layout(1, 1, 2), dt=0.1)[0]
    array([[0. , 0.5],
           [0.2, 0.5]])
    """
    skipped, end = layout.skipped, layout.positions + layout.velocities
    rows = observations[:, :end].astype(np.float64)
    observed, velocities = rows[:, : layout.positions], rows[:, layout.positions :]
    steps = dt * (velocities[1:, :skipped] + velocities[:-1, :skipped]) / 2
    travelled = np.vstack([np.zeros((1, skipped)), np.cumsum(steps, axis=0)])
    return np.hstack([travelled, observed]), velocities


def _replayable(env: gym.Env[Any, Any], episode: Episode) -> bool:
    return _layout(env) is not None or episode.seed is not None


def _layout(env: gym.Env[Any, Any]) -> Layout | None:
    """Skipped positions, positions and velocities at the start of an observation, if known."""
    known = getattr(env.unwrapped, "observation_structure", None)
    if not isinstance(known, dict) or not {"qpos", "qvel"} <= known.keys():
        return None
    return Layout(known.get("skipped_qpos", 0), known["qpos"], known["qvel"])


def _side_by_side(sides: list[list[Iterator[Picture]]]) -> Iterator[Picture]:
    """Join the sides' episodes; a side that ends first keeps its last picture."""
    for episodes in zip_longest(*sides, fillvalue=iter(())):
        last: list[Picture | None] = [None] * len(sides)
        for pictures in zip_longest(*episodes):
            last = [old if new is None else new for new, old in zip(pictures, last, strict=True)]
            blank = next(np.zeros_like(picture) for picture in last if picture is not None)
            yield movies.beside([blank if picture is None else picture for picture in last])
