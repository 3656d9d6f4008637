"""Keep a run's raw scores in the repository.

    python scripts/record_result.py runs/ant benchmarks/ant-v5-gail.json

Copies what a table needs from a run's folder, in the schema of :mod:`gail.bench.record`: the
resolved settings, every episode's return, the learning curve, versions, commit and hardware. Paths
are reduced to file names. ``gail bench`` does this for its own runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gail.bench.folders import score_of
from gail.bench.record import write


@dataclass(frozen=True)
class Record:
    """Turn a run's folder into one file of raw scores."""

    run_folder: Annotated[Path, tyro.conf.Positional]
    """The folder that `gail train` wrote."""
    out: Annotated[Path, tyro.conf.Positional]
    """The file to write."""

    def run(self) -> None:
        """Read the folder; write one JSON file.

        Raises:
            SystemExit: the run has not been scored.
        """
        score = score_of(self.run_folder)
        if not score.returns:
            raise SystemExit(f"{self.run_folder} has no evaluation.json; score it first.")
        write(self.out, score.to_json())


if __name__ == "__main__":
    tyro.cli(Record).run()
