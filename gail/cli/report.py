"""``gail report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from gail.cli.console import notify


@dataclass(frozen=True)
class Report:
    """Make one page of a run or of a benchmark: scores, curves, pictures, settings."""

    run_folder: tyro.conf.Positional[Path]
    """The folder of a run, or of a benchmark's runs."""
    out: Path | None = None
    """The file to write; by default report.html in the folder."""

    def run(self) -> None:
        """Write the page, which needs no other file."""
        from gail.report import write_report

        notify(f"Wrote {write_report(self.run_folder, self.out)}.")
