"""``gail render``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro

from gail.cli.console import mujoco_warnings_once, notify, require_free, wrong_input
from gail.errors import GailError
from gail.film import Film


@dataclass(frozen=True)
class Render:
    """Record a policy as a video, a GIF or a contact sheet; no screen is needed."""

    policy: tyro.conf.Positional[Path | None] = None
    """A saved policy, a checkpoint or a run's folder."""
    pretrained: str | None = None
    """In place of a policy: a task, such as Ant-v5, whose shipped policy is shown."""
    env: str | None = None
    """Gymnasium id (module:My-v0 imports a module first); by default the task it was trained on."""
    out: Path = Path("rollout.mp4")
    """The file to write: .mp4, .gif, or .png for a contact sheet."""
    overwrite: bool = False
    """Replace the file if it exists."""
    beside: str | None = None
    """Shown on the left: the expert's episodes, or another policy."""
    device: str = "cpu"
    """Where the policy computes."""
    film: tyro.conf.OmitArgPrefixes[Film] = field(default_factory=Film)
    """What the recording looks like."""

    def run(self) -> None:
        """Play and record."""
        from gail.cli.policies import load_expert, load_policy
        from gail.rendering import record

        policy, film = self._shown()
        require_free(self.out, self.overwrite)
        with mujoco_warnings_once(), wrong_input():
            model, env_id = load_policy(policy, self.env, self.device)
            expert = None if self.beside is None else load_expert(self.beside, env_id)
            record(model, env_id, self.out, beside=expert, film=film)
        notify(f"Wrote {self.out}.")

    def _shown(self) -> tuple[Path, Film]:
        """The policy's file or folder, and the film with its caption."""
        if self.policy is not None and self.pretrained is None:
            return self.policy, self.film
        if self.policy is not None or self.pretrained is None:
            raise GailError(
                "gail render shows one policy; give a file or a run's folder, or a task whose "
                "shipped policy is shown, as in --pretrained Ant-v5."
            )
        from gail import shipped

        file = shipped.policy_file(self.pretrained)
        named = self.film.name != Film.name
        return file, self.film if named else replace(self.film, name=shipped.role(file))
