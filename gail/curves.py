"""SB3 log formats that a resumed run continues instead of starting over."""

from __future__ import annotations

import csv
from pathlib import Path

from stable_baselines3.common.logger import CSVOutputFormat, TensorBoardOutputFormat
from torch.utils.tensorboard import SummaryWriter

from generative.files import replacing_file

STEP = "time/total_timesteps"


class ProgressCSV(CSVOutputFormat):
    """SB3's CSV log; with ``step`` it goes on after the rows up to that step.

    Args:
        path: the file.
        step: the environment step to go on from; None starts a new file.
    """

    def __init__(self, path: Path, step: int | None = None) -> None:
        going_on = step is not None and path.is_file()
        if going_on:
            assert step is not None
            drop_rows_beyond(path, step)
        else:
            path.write_text("")
        self.file = path.open("r+", encoding="utf-8", newline="")
        self.keys = self.file.readline().strip().split(",") if going_on else []
        self.keys = [key for key in self.keys if key]
        self.file.seek(0, 2)
        self.separator = ","
        self.quotechar = '"'


class TensorBoard(TensorBoardOutputFormat):
    """SB3's TensorBoard log; with ``step`` it hides what an earlier run logged beyond it.

    Args:
        folder: where event files are written.
        step: the environment step to go on from; None starts anew.
    """

    def __init__(self, folder: Path, step: int | None = None) -> None:
        purge = None if step is None else step + 1
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=purge)
        self._is_closed = False


def drop_rows_beyond(path: Path, step: int) -> None:
    """Remove from a progress file the rows after ``step`` and rows cut off by a crash.

    Args:
        path: the file, replaced in one piece.
        step: the last environment step that stays.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = list(csv.reader(lines))
    if not rows or STEP not in rows[0]:
        return
    column, width = rows[0].index(STEP), len(rows[0])
    kept = [lines[0]]
    for line, row in zip(lines[1:], rows[1:], strict=True):
        whole = line.endswith("\n") and len(row) == width
        if whole and row[column] and float(row[column]) <= step:
            kept.append(line)
    with replacing_file(path) as handle:
        handle.write("".join(kept).encode())
