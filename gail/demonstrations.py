"""Expert demonstrations: whole episodes, checked once, from and to every common format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from gymnasium.spaces import Space
from numpy.typing import NDArray

from gail import formats, formats_imitation, formats_minari, shipped, task_checks, validation
from gail.episodes import (
    AnyPath,
    BoolArray,
    Episode,
    FloatArray,
    IntArray,
    Recording,
    content_hash,
    flat_arrays,
)
from gail.errors import DemonstrationError
from gail.transitions import Transitions, take, thinned_rows

__all__ = ["Demonstrations", "Episode", "Transitions"]


@dataclass(frozen=True, eq=False, repr=False)
class Demonstrations:
    """Whole episodes of an expert in flat arrays, one episode after another.

    Rows, lengths and finiteness are checked here, what depends on the task by :meth:`check_for`.

    Attributes:
        observations: (sum(T + 1), O) float32, each episode with its final observation.
        actions: (sum T, A) float32.
        lengths: (E,) steps T of each episode, two at least.
        terminated: (E,) bool, whether the task ended the episode.
        truncated: (E,) bool, whether a time limit or the recording ended it; an episode with
            neither flag counts as truncated.
        rewards: (sum T,) float32, the environment's own reward, or None where unknown.
        seeds: (E,) reset seeds, or None where unknown.
        env_id: Gymnasium id of the task, or None where unknown.
        mujoco_version: the physics they were recorded with, or None where unknown.
        name: the file's name, for messages.

    Raises:
        DemonstrationError: if the arrays contradict one another or hold non-finite numbers.

    >>> episode = Episode(np.zeros((4, 3)), np.ones((3, 2)), np.ones(3), terminated=True)
    >>> demos = Demonstrations.from_episodes([episode, episode], env_id="Toy-v0")
    >>> demos.returns.tolist()
    [3.0, 3.0]
    >>> demos.transitions().obs.shape
    torch.Size([6, 3])
    """

    observations: FloatArray
    actions: FloatArray
    lengths: IntArray
    terminated: BoolArray
    truncated: BoolArray
    rewards: FloatArray | None = None
    seeds: IntArray | None = None
    env_id: str | None = None
    mujoco_version: str | None = None
    name: str = "demonstrations"

    def __post_init__(self) -> None:
        for field, values in validation.checked_arrays(self.name, vars(self)).items():
            object.__setattr__(self, field, values)

    @classmethod
    def load(
        cls, path: AnyPath, *, env_id: str | None = None, trajectories: int | None = None
    ) -> Self:
        """Read demonstrations from a file or folder in any known format; nothing is unpickled.

        Known are this project's .npz, plain arrays in .npz or HDF5 (D4RL's layout and names
        included), folders and old .npz files of ``imitation``, and Minari datasets, as a folder
        or the id of a local one. See :mod:`gail.formats` for names and rules.

        Args:
            path: the file, the folder or the Minari id.
            env_id: the task; taken for files that do not name theirs, with one notice.
            trajectories: keep only the first so many episodes.

        Raises:
            DemonstrationError: if the file is missing, damaged, pickled, inconsistent, of another
                task, or holds fewer episodes than asked for.
        """
        recording = formats.read(path)
        name = Path(path).name
        task_checks.check_env_id(name, recording.env_id, env_id)
        demos = cls.from_episodes(
            recording.episodes,
            env_id=recording.env_id or env_id,
            mujoco_version=recording.mujoco_version,
            name=name,
        )
        demos = demos if trajectories is None else demos.head(trajectories)
        validation.tell_missing(name, recording, env_id)
        return demos

    @classmethod
    def shipped(cls, env_id: str = "Ant-v5", *, trajectories: int | None = None) -> Self:
        """Load the project's own demonstrations of a task, from a checkout or an installed wheel.

        Raises:
            DemonstrationError: if there are none of this task; the message names those there are.
        """
        return cls.load(shipped.data_file(env_id), env_id=env_id, trajectories=trajectories)

    @classmethod
    def from_episodes(
        cls,
        episodes: Iterable[Episode],
        *,
        env_id: str | None = None,
        mujoco_version: str | None = None,
        name: str = "demonstrations",
    ) -> Self:
        """Join episodes, as ``gail collect`` and the readers produce them.

        Raises:
            DemonstrationError: if there are none or they do not fit together.
        """
        episodes = list(episodes)
        validation.check_episodes(name, episodes)
        arrays = flat_arrays(episodes)
        return cls(
            observations=arrays["observations"],
            actions=arrays["actions"],
            lengths=arrays["lengths"],
            terminated=arrays["terminated"],
            truncated=arrays["truncated"],
            rewards=arrays.get("rewards"),
            seeds=arrays.get("seeds"),
            env_id=env_id,
            mujoco_version=mujoco_version,
            name=name,
        )

    @classmethod
    def from_trajectories(
        cls, trajectories: Sequence[Any], *, env_id: str | None = None, name: str = "trajectories"
    ) -> Self:
        """Take ``imitation``'s trajectory objects; see :mod:`gail.formats_imitation`.

        Raises:
            DemonstrationError: if an object lacks a field or the arrays do not fit together.
        """
        episodes = formats_imitation.episodes_of(trajectories, name)
        return cls.from_episodes(episodes, env_id=env_id, name=name)

    def save(self, path: AnyPath) -> None:
        """Write this project's .npz (no pickle), replacing ``path`` in one piece.

        Raises:
            GailError: if the folder cannot be written.
        """
        formats.write_npz(self.recording(), path)

    def to_imitation(self, path: AnyPath, *, overwrite: bool = False) -> None:
        """Write the dataset folder that ``imitation.data.serialize.load`` reads.

        Raises:
            GailError: if ``path`` exists without ``overwrite``, or cannot be written.
            DemonstrationError: if the package ``datasets`` is missing.
        """
        formats_imitation.write_folder(self.recording(), path, overwrite=overwrite)

    def to_minari(self, path: AnyPath, *, overwrite: bool = False) -> None:
        """Write a Minari dataset folder; see :mod:`gail.formats_minari` for its id.

        Raises:
            GailError: if ``path`` exists without ``overwrite``, or cannot be written.
            DemonstrationError: if Minari is missing or the name is no Minari id.
        """
        formats_minari.write_folder(self.recording(), path, overwrite=overwrite)

    @property
    def num_episodes(self) -> int:
        """E."""
        return len(self.lengths)

    @property
    def num_transitions(self) -> int:
        """The steps of all episodes together."""
        return len(self.actions)

    @property
    def observation_dim(self) -> int:
        """O."""
        return int(self.observations.shape[1])

    @property
    def action_dim(self) -> int:
        """A."""
        return int(self.actions.shape[1])

    @property
    def returns(self) -> NDArray[np.float64] | None:
        """(E,) undiscounted sums of the environment's own reward, or None where unknown."""
        if self.rewards is None:
            return None
        starts = np.cumsum(self.lengths) - self.lengths
        return np.add.reduceat(self.rewards.astype(np.float64), starts)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the episodes' content: equal for the same episodes in any file or format."""
        fields = ("observations", "actions", "rewards", "lengths", "terminated", "truncated")
        return content_hash({field: getattr(self, field) for field in fields})

    def __repr__(self) -> str:
        returns = self.returns
        score = "unknown" if returns is None else f"{returns.mean():.1f} ± {returns.std():.1f}"
        return (
            f"Demonstrations({self.name!r}: {self.env_id or 'task unknown'}, "
            f"{self.num_episodes} episodes, {self.num_transitions} transitions, "
            f"observations {self.observation_dim}, actions {self.action_dim}, return {score}, "
            f"MuJoCo {self.mujoco_version or 'unknown'}, hash {self.hash[:12]})"
        )

    def episodes(self) -> Iterator[Episode]:
        """Go through the episodes in order, as views of the flat arrays."""
        ends = np.cumsum(self.lengths)
        for index, (length, end) in enumerate(zip(self.lengths, ends, strict=True)):
            steps = slice(int(end - length), int(end))
            yield Episode(
                self.observations[steps.start + index : steps.stop + index + 1],
                self.actions[steps],
                None if self.rewards is None else self.rewards[steps],
                bool(self.terminated[index]),
                bool(self.truncated[index]),
                None if self.seeds is None else int(self.seeds[index]),
            )

    def recording(self) -> Recording:
        """The episodes with their origin, as writers take them."""
        return Recording(list(self.episodes()), self.env_id, self.mujoco_version)

    def head(self, trajectories: int) -> Self:
        """Keep the first ``trajectories`` episodes.

        Raises:
            DemonstrationError: if there are fewer, or less than one is asked for.
        """
        if not 1 <= trajectories <= self.num_episodes:
            raise DemonstrationError(
                f"{self.name}: {trajectories} trajectories were asked for and the file holds "
                f"{self.num_episodes}; ask for 1 to {self.num_episodes} (--trajectories)."
            )
        return type(self).from_episodes(
            list(self.episodes())[:trajectories],
            env_id=self.env_id,
            mujoco_version=self.mujoco_version,
            name=self.name,
        )

    def transitions(self, every: int = 1, *, seed: int = 0) -> Transitions:
        """The steps of all episodes, or every k-th of them, for a discriminator or cloning.

        Thinning is the GAIL paper's (see :func:`gail.transitions.thinned_rows`).

        Args:
            every: k; 1 keeps all steps.
            seed: of the offsets.

        Raises:
            DemonstrationError: if ``every`` is less than 1.
        """
        if not isinstance(every, int) or every < 1:
            raise DemonstrationError(f"every is {every}; give 1, or more to thin (--every).")
        rows = thinned_rows(self.lengths, every, np.random.default_rng(seed))
        return take(self.observations, self.actions, self.lengths, self.terminated, rows)

    def check_for(
        self, env_id: str | None, observation_space: Space[Any], action_space: Space[Any]
    ) -> None:
        """Make sure that these demonstrations are of the task, before anything is trained.

        Args:
            env_id: the task's Gymnasium id, or None where it has none.
            observation_space: of the task.
            action_space: of the task.

        Raises:
            DemonstrationError: if widths, task or action range differ; the message says what to do.
        """
        widths = (self.observation_dim, self.action_dim)
        task = env_id or "the task"
        box = task_checks.check_spaces(self.name, task, widths, observation_space, action_space)
        task_checks.check_env_id(self.name, self.env_id, env_id)
        task_checks.check_actions(self.name, task, self.actions, box)
