"""Mixtures of a file's good episodes, each fitted without some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gail import conformal
from gail.features import Features, Inputs
from gail.robust import better_half
from gail.scoring import Scorer, ScoringSettings, folds

ROUNDS = 4  # of fitting to what is not grossly strange


@dataclass(frozen=True)
class AuditSettings:
    """How a file is audited."""

    false_alarms: float = 0.05
    """Share of good episodes that may be flagged."""
    step_false_alarms: float = 0.001
    """Share of good steps above the line in charts."""
    inputs: Inputs = "sa"
    """What is scored: observations (s), with actions (sa) or with next observations (ss)."""
    folds: int = 5
    """Models, each fitted without one group of episodes."""
    scoring: ScoringSettings = field(default_factory=ScoringSettings)
    """The mixtures."""


class Crossfit:
    """Scorers of the same episodes, each fitted without one fold of them.

    Args:
        rows: (T_i, D) of each episode.
        settings: of the audit.
    """

    def __init__(self, rows: Sequence[Tensor], settings: AuditSettings) -> None:
        self.rows = rows
        self.folds = folds(len(rows), settings.folds)
        features = Features(settings.inputs).fit(rows)
        self.scorers = [
            Scorer.fit(features, self._without(fold), settings.scoring) for fold in self.folds
        ]
        self.known = np.empty(len(rows))  # (n,), each under the model that did not see it
        for fold, scorer in zip(self.folds, self.scorers, strict=True):
            for i in fold:
                self.known[i] = scorer.judge(rows[i])[0]

    def _without(self, fold: Sequence[int]) -> list[Tensor]:
        """Rows of the other folds; of the fold itself where there is no other."""
        left = [rows for i, rows in enumerate(self.rows) if i not in fold]
        return left or list(self.rows)

    def own_scorer(self, i: int) -> Scorer:
        """The scorer that did not see one of the episodes."""
        return next(s for fold, s in zip(self.folds, self.scorers, strict=True) if i in fold)

    def judge(self, rows: Tensor, number: int) -> tuple[float, int, int]:
        """Of another episode: its score, the channel it comes from, and how many known exceed it.

        One of the models scores it, by turns: averages over all of them would vary less than the
        known scores do, and good episodes would then be flagged less often than asked for.
        """
        score, channel = self.scorers[number % len(self.scorers)].judge(rows)
        return score, channel, int((self.known >= score).sum())

    def judge_own(self, i: int) -> tuple[float, int, int]:
        """The same of one of these episodes, which is compared with the others."""
        score, channel = self.own_scorer(i).judge(self.rows[i])
        return score, channel, int((self.known >= score).sum()) - 1

    def surprise(self, rows: Tensor, number: int) -> NDArray[np.float32]:
        """Of another episode's steps (T,)."""
        return np.asarray(self.scorers[number % len(self.scorers)].surprise(rows).numpy())

    def surprise_own(self, i: int) -> NDArray[np.float32]:
        """Of the steps (T,) of one of these episodes."""
        return np.asarray(self.own_scorer(i).surprise(self.rows[i]).numpy())


def core_of(rows: Sequence[Tensor], settings: AuditSettings) -> tuple[Crossfit, list[int]]:
    """Scorers of the episodes that are not grossly strange to one another, and their numbers.

    Args:
        rows: (T_i, D) of each episode, good and bad.
        settings: of the audit.
    """
    features = Features(settings.inputs).fit(rows)
    generator = torch.Generator().manual_seed(settings.scoring.seed)
    core = better_half([features.scaled(each) for each in rows], generator=generator)
    crossfit = Crossfit([rows[i] for i in core], settings)
    for _ in range(ROUNDS):
        scores = np.empty(len(rows))
        scores[core] = crossfit.known
        for i in set(range(len(rows))) - set(core):
            scores[i] = crossfit.judge(rows[i], i)[0]
        found = np.flatnonzero(~conformal.gross(scores)).tolist()
        if found == core:
            break
        core = found
        crossfit = Crossfit([rows[i] for i in core], settings)
    return crossfit, core
