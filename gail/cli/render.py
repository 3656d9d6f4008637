"""``gail render``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from gail.cli.console import mujoco_warnings_once, notify, wrong_input
from gail.film import Film


@dataclass(frozen=True)
class Render:
    """Record a policy as a video, a GIF or a contact sheet; no screen is needed."""

    policy: tyro.conf.Positional[Path]
    """A saved policy, a checkpoint or a run's folder."""
    env: str | None = None
    """Gymnasium id; by default the task it was trained on."""
    out: Path = Path("rollout.mp4")
    """The file to write: .mp4, .gif, or .png for a contact sheet."""
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

        with mujoco_warnings_once(), wrong_input():
            model, env_id = load_policy(self.policy, self.env, self.device)
            expert = None if self.beside is None else load_expert(self.beside, env_id)
            record(model, env_id, self.out, beside=expert, film=self.film)
        notify(f"Wrote {self.out}.")
