"""Pages of runs and of benchmarks, each one file that needs no other."""

from __future__ import annotations

from pathlib import Path

from generative.files import replacing_file


def write_report(folder: Path, out: Path | None = None) -> Path:
    """Write the page of a run's folder, or of the folder of a benchmark's runs.

    Args:
        folder: what ``gail train`` or ``gail bench`` wrote.
        out: the file; by default ``report.html`` in the folder.

    Returns:
        The file.

    Raises:
        GailError: there is neither a run nor a benchmark in the folder.
    """
    from gail.report.run import run_page
    from gail.report.suite import suite_page

    made = suite_page(folder) if (folder / "suite.json").is_file() else run_page(folder)
    path = folder / "report.html" if out is None else out
    with replacing_file(path) as handle:
        handle.write(made.encode())
    return path
