"""``gail data``: look at, convert and check demonstration files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, subcommand

from gail.cli.console import results, table, wrong_input
from gail.errors import GailError

if TYPE_CHECKING:
    from gail.demonstrations import Demonstrations


@dataclass(frozen=True)
class Inspect:
    """Show what a demonstration file holds."""

    file: Positional[str]
    """Demonstrations in any known format: a file, a folder, or the id of a local Minari dataset."""

    def run(self) -> int:
        """Print a table.

        Raises:
            DemonstrationError: if the file cannot be used.
        """
        from gail.demonstrations import Demonstrations

        rows = table(self.file, summary(Demonstrations.load(self.file)))
        rows.columns[1].overflow = "fold"  # the hash in full
        results().print(rows)
        return 0


@dataclass(frozen=True)
class Convert:
    """Write demonstrations in another format; the episodes and their hash stay the same."""

    source: Positional[str]
    """Demonstrations in any known format: a file, a folder, or the id of a local Minari dataset."""
    target: Positional[Path]
    """The file (gail) or folder (imitation, minari) to write."""
    format: Literal["gail", "imitation", "minari"] = "gail"
    """What to write: this project's .npz, or a dataset folder of imitation or Minari."""
    env: str | None = None
    """Gymnasium id of the task, for files that do not name theirs."""
    trajectories: int | None = None
    """Keep only the first so many episodes; all by default."""
    overwrite: bool = False
    """Replace the target if it exists."""

    def run(self) -> int:
        """Read, check and write, the target in one piece.

        Raises:
            GailError: if the source cannot be used or the target exists or cannot be written.
        """
        from gail.demonstrations import Demonstrations

        if self.target.exists() and not self.overwrite:
            raise GailError(f"{self.target} exists already; add --overwrite to replace it.")
        demos = Demonstrations.load(self.source, env_id=self.env, trajectories=self.trajectories)
        if self.format == "gail":
            demos.save(self.target)
        elif self.format == "imitation":
            demos.to_imitation(self.target, overwrite=self.overwrite)
        else:
            demos.to_minari(self.target, overwrite=self.overwrite)
        results().print(
            f"{self.target}: {demos.num_episodes} episodes, {demos.num_transitions} transitions, "
            f"hash {demos.hash[:12]}",
            markup=False,
            soft_wrap=True,
        )
        return 0


@dataclass(frozen=True)
class Validate:
    """Check that demonstrations can be used to train a task."""

    file: Positional[str]
    """Demonstrations in any known format: a file, a folder, or the id of a local Minari dataset."""
    env: str = "Ant-v5"
    """Gymnasium id of the task."""

    def run(self) -> int:
        """Print one line if they can.

        Raises:
            DemonstrationError: with what is wrong and what to do, if they cannot.
        """
        import envs
        from gail.demonstrations import Demonstrations

        demos = Demonstrations.load(self.file, env_id=self.env)
        with wrong_input():
            task = envs.make(self.env, num_envs=1, device="cpu", threads=1)
        try:
            demos.check_for(self.env, task.observation_space, task.action_space)
        finally:
            task.close()
        line = f"{self.file} can be used to train {self.env}."
        results().print(line, markup=False, soft_wrap=True)
        return 0


Data = (
    Annotated[Inspect, subcommand("inspect")]
    | Annotated[Convert, subcommand("convert")]
    | Annotated[Validate, subcommand("validate")]
)


def summary(demos: Demonstrations) -> dict[str, str]:
    """What there is to tell of demonstrations, by label."""
    unknown = "unknown"
    terminated = int(demos.terminated.sum())
    return {
        "environment": demos.env_id or unknown,
        "MuJoCo": demos.mujoco_version or unknown,
        "episodes": f"{demos.num_episodes}",
        "transitions": f"{demos.num_transitions}",
        "return": unknown if demos.returns is None else _spread(demos.returns),
        "length": _spread(demos.lengths),
        "terminated": f"{terminated} of {demos.num_episodes}, the others truncated",
        "observations": f"{demos.observation_dim} wide, {_range(demos.observations)}",
        "actions": f"{demos.action_dim} wide, {_range(demos.actions)}",
        "hash": demos.hash,
    }


def _spread(values: Any) -> str:
    return f"{values.mean():.1f} ± {values.std():.1f} ({values.min():.1f} to {values.max():.1f})"


def _range(values: Any) -> str:
    return f"{values.min():.4g} to {values.max():.4g}"
