"""``gail export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from gail.cli.console import mujoco_warnings_once, notify, require_free, wrong_input


@dataclass(frozen=True)
class Export:
    """Write a policy for other programs: ONNX, or a zip of Stable-Baselines3."""

    policy: tyro.conf.Positional[Path]
    """A saved policy, a checkpoint or a run's folder."""
    out: Path
    """The file to write: .onnx, or .zip for Stable-Baselines3's PPO.load."""
    overwrite: bool = False
    """Replace the file if it exists."""

    def run(self) -> None:
        """Load and write.

        Raises:
            GailError: if the policy cannot be read, or the file exists or cannot be written.
        """
        from gail.cli.policies import policy_file
        from gail.export import check_suffix, export
        from gail.loading import load

        check_suffix(self.out)
        require_free(self.out, self.overwrite)
        with mujoco_warnings_once(), wrong_input():
            export(load(policy_file(self.policy), device="cpu"), self.out)
        notify(f"Wrote {self.out}.")
