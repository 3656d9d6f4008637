"""Scores of the deterministic policy while it is trained."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from gail.curves import STEP, drop_rows_beyond
from gail.playing import play

COLUMNS = (STEP, "mean_return", "fall_rate", "seconds")


class ScoreKeeper(BaseCallback):
    """Plays whole episodes of the official environment now and then, into ``scores.csv``.

    It plays between two iterations: before the first one, then whenever so many steps are done.
    Training is not touched: a run with it ends with the same weights as a run without.

    Args:
        path: the file; an earlier run's rows up to the step that training starts from stay.
        env_id: Gymnasium id.
        every: environment steps between two scores.
        episodes: of one score.
    """

    def __init__(self, path: Path, env_id: str, every: int, episodes: int = 10) -> None:
        super().__init__()
        self.path, self.env_id, self.every, self.episodes = path, env_id, every, episodes
        self.last: int | None = None

    def _on_training_start(self) -> None:
        self.last = None
        if not self.path.is_file() or self.model.num_timesteps == 0:
            self.path.write_text(",".join(COLUMNS) + "\n")
        drop_rows_beyond(self.path, self.model.num_timesteps)
        if rows := read_scores(self.path):
            self.last = rows[-1][0]

    def _on_rollout_start(self) -> None:
        self.score_if_due(self.model.num_timesteps)

    def _on_step(self) -> bool:
        return True

    def score_if_due(self, step: int) -> None:
        """Play and write a row if this is the first step or a multiple of ``every`` was passed."""
        if self.last is not None and step // self.every <= self.last // self.every:
            return
        started = time.perf_counter()
        played = list(play(self.model, self.env_id, self.episodes))
        falls = [each.episode.terminated and not each.episode.truncated for each in played]
        scored = (float(np.mean([each.total for each in played])), float(np.mean(falls)))
        row = (step, *scored, round(time.perf_counter() - started, 3))
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        self.last = step


def read_scores(path: Path) -> list[tuple[int, float, float]]:
    """Steps, mean return and seconds that playing took, a row a score; none without a file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["seconds"]]
    return [(int(row[STEP]), float(row["mean_return"]), float(row["seconds"])) for row in rows]
