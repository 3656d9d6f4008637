"""``gail data audit``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from gail.cli.console import notify, require_free, results, wrong_input
from gail.errors import GailError

if TYPE_CHECKING:
    from gail.audit import Audit
    from gail.demonstrations import Demonstrations
    from gail.episodes import Recording


@dataclass(frozen=True)
class AuditFile:
    """Find the episodes of a file that are not like the others, copies and broken ones.

    Each step and episode is scored by mixtures fitted to the other episodes.
    """

    file: Positional[str]
    """Demonstrations in any known format: a file, a folder, or the id of a local Minari dataset."""
    reference: str | None = None
    """Good demonstrations to compare with, instead of the other episodes of the file."""
    false_alarms: float = 0.05
    """Share of good episodes that may be flagged; 0.05 needs 20 episodes, or 19 to compare with."""
    inputs: Literal["s", "sa", "ss"] = "sa"
    """What is scored: observations (s), with actions (sa) or with next observations (ss)."""
    drop: Path | None = None
    """Write the episodes that are not flagged to this .npz file."""
    out: Path = Path("audit.html")
    """The page to write."""
    overwrite: bool = False
    """Replace the files if they exist."""
    env: str | None = None
    """Gymnasium id of the task, for files that do not name theirs."""

    def run(self) -> int:
        """Score, print a table of what is flagged, write the page and the cleaned file.

        Raises:
            GailError: if a file cannot be used, or is too small for the false-alarm rate.
        """
        from gail import formats
        from gail.audit import audit
        from gail.audit_page import audit_page
        from gail.crossfit import AuditSettings
        from gail.task_checks import check_env_id
        from generative.files import replacing_file

        self._check_places()
        recording, name = formats.read(self.file), Path(self.file).name
        check_env_id(name, recording.env_id, self.env)
        env_id = recording.env_id or self.env
        settings = AuditSettings(false_alarms=self.false_alarms, inputs=self.inputs)
        good = self._reference(recording, env_id)
        with wrong_input():
            found = audit(
                recording.episodes,
                settings,
                reference=None if good is None else list(good.episodes()),
                env_id=env_id,
                name=name if good is None else good.name,
            )
        self._show(recording, found)
        with replacing_file(self.out) as handle:
            made = audit_page(name, recording.episodes, found, settings, env_id)
            handle.write(made.encode())
        notify(f"Wrote {self.out}.")
        self._drop(recording, found, env_id)
        return 0

    def _check_places(self) -> None:
        for path in filter(None, (self.out, self.drop)):
            require_free(path, self.overwrite)
        if self.drop is None:
            return
        if self.drop.suffix != ".npz":
            raise GailError(f"--drop is {self.drop}; give a name that ends in .npz.")
        if self.drop.resolve() == Path(self.file).expanduser().resolve():
            raise GailError(
                f"--drop is the audited file {self.file}; give another name, the old file stays."
            )

    def _reference(self, recording: Recording, env_id: str | None) -> Demonstrations | None:
        """Good demonstrations of the same widths, if asked for."""
        from gail.demonstrations import Demonstrations

        if self.reference is None:
            return None
        good, first = Demonstrations.load(self.reference, env_id=env_id), recording.episodes[0]
        widths = (good.observation_dim, good.action_dim)
        found = (first.observations.shape[1], first.actions.shape[1])
        if widths != found:
            raise GailError(
                f"{good.name} has observations and actions of widths {widths} and {self.file} has "
                f"{found}; give a --reference of the same task."
            )
        return good

    def _show(self, recording: Recording, found: Audit) -> None:
        from rich.table import Table

        from gail.audit_page import HEAD, row

        flagged = [each for each in found.verdicts if each.flagged]
        shown = Table(title=f"{self.file}: flagged episodes", title_justify="left")
        for column in HEAD:
            shown.add_column(column, overflow="fold")
        for verdict in flagged:
            shown.add_row(*row(recording.episodes[verdict.number], verdict))
        if flagged:
            results().print(shown)
        results().print(
            f"{len(flagged)} of {len(found.verdicts)} episodes flagged, each compared with "
            f"{found.known} good ones; of good episodes {self.false_alarms:.0%} may be.",
            markup=False,
            soft_wrap=True,
        )

    def _drop(self, recording: Recording, found: Audit, env_id: str | None) -> None:
        """Write what is left."""
        from gail.demonstrations import Demonstrations

        if self.drop is None:
            return
        if not found.kept:
            raise GailError(f"All episodes are flagged, so {self.drop} was not written.")
        left = Demonstrations.from_episodes(
            [recording.episodes[i] for i in found.kept],
            env_id=env_id,
            mujoco_version=recording.mujoco_version,
            name=self.drop.name,
        )
        left.save(self.drop)
        notify(f"Wrote {self.drop}: {left}.")
