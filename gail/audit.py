"""Which episodes of a file are not like the others, and where.

Each step and episode is scored by a mixture fitted to *other* episodes of the file, in folds, or
to a reference file. Scores of episodes become p-values by cross-conformal prediction (Vovk 2015):
under each fold's model an episode is compared with those that this model did not see either. At
first the mixtures learn the better half of the file only (:mod:`gail.robust`), then all that is
not grossly strange to them, so that many bad episodes cannot pass for usual by their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs import TASKS
from gail import conformal
from gail.episode_checks import broken, dead_sensors, duplicates
from gail.episodes import Episode
from gail.errors import GailError
from gail.features import Features, Inputs, episode_rows
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


@dataclass(frozen=True)
class Verdict:
    """What is known of one episode."""

    number: int
    """Its place in the file."""
    score: float
    """Standard deviations from usual; infinite where it cannot be scored."""
    p_value: float
    """Probability of such a score in a good episode."""
    reason: str
    """What the score comes from."""
    surprise: NDArray[np.float32]
    """(T,) minus log-density of each step, in nats; empty where it cannot be scored."""
    faults: tuple[str, ...]
    """Facts against it: broken numbers, a copy, dead sensors, a gross score."""
    unusual: bool
    """Whether the p-value is within the false-alarm rate."""

    @property
    def flagged(self) -> bool:
        """Whether anything is wrong with it."""
        return self.unusual or bool(self.faults)


@dataclass(frozen=True)
class Audit:
    """Verdicts on all episodes, and the lines that they were judged by."""

    verdicts: list[Verdict]
    known: int
    """Good episodes that scores were compared with."""
    threshold: float
    """Score that a good episode exceeds at the false-alarm rate."""
    step_threshold: float
    """Surprise that a good step exceeds at its false-alarm rate."""

    @property
    def kept(self) -> list[int]:
        """Numbers of the episodes that are not flagged."""
        return [each.number for each in self.verdicts if not each.flagged]


def check_size(known: int, rate: float, name: str) -> None:
    """Refuse a false-alarm rate that so few episodes cannot hold.

    Args:
        known: good episodes that one is compared with.
        rate: of false alarms.
        name: of their file.

    Raises:
        GailError: if there are too few, or the rate is none.
    """
    if not 0 < rate < 1:
        raise GailError(f"The false-alarm rate is {rate}; give one between 0 and 1.")
    if known < conformal.needed(rate):
        least = conformal.smallest_rate(known)
        raise GailError(
            f"{name} has {known} episodes to compare one with, and a false-alarm rate of {rate:g} "
            f"asks for {conformal.needed(rate)}; ask for --false-alarms {least:g} or more, or "
            "compare with a larger --reference."
        )


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

    def judge(self, rows: Tensor) -> tuple[float, int, int]:
        """Of another episode: its score, the channel it comes from, and how many known exceed it.

        The score is the median of those under all models; it is compared model by model.
        """
        found = [scorer.judge(rows) for scorer in self.scorers]
        exceeding = sum(
            int((self.known[fold] >= score).sum())
            for fold, (score, _) in zip(self.folds, found, strict=True)
        )
        score = median(score for score, _ in found)
        channels = [channel for _, channel in found]
        return score, max(channels, key=channels.count), exceeding

    def judge_own(self, i: int) -> tuple[float, int, int]:
        """The same of one of these episodes, which is compared with the others."""
        score, channel = self.own_scorer(i).judge(self.rows[i])
        return score, channel, int((self.known >= score).sum()) - 1

    def surprise(self, rows: Tensor) -> NDArray[np.float32]:
        """Of another episode's steps (T,), averaged over the models."""
        return np.asarray(np.mean([each.surprise(rows).numpy() for each in self.scorers], axis=0))

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
            scores[i] = crossfit.judge(rows[i])[0]
        found = np.flatnonzero(~conformal.gross(scores)).tolist()
        if found == core:
            break
        core = found
        crossfit = Crossfit([rows[i] for i in core], settings)
    return crossfit, core


def audit(
    episodes: Sequence[Episode],
    settings: AuditSettings | None = None,
    *,
    reference: Sequence[Episode] | None = None,
    env_id: str | None = None,
    name: str = "The file",
) -> Audit:
    """Judge every episode of a file.

    Args:
        episodes: of one task; broken ones too.
        settings: by default those of :class:`AuditSettings`.
        reference: good episodes to compare with, instead of the others of the file.
        env_id: Gymnasium id, to name sensors.
        name: of what is compared with, for messages.

    Raises:
        GailError: if there are too few episodes for the false-alarm rate.
    """
    settings = settings or AuditSettings()
    faults = _facts(episodes, reference)
    sound = [i for i in range(len(episodes)) if not faults[i]]
    check_size(len(sound) - 1 if reference is None else len(reference), settings.false_alarms, name)
    rows = {
        i: episode_rows(episodes[i], settings.inputs)
        for i in range(len(episodes))
        if broken(episodes[i]) is None
    }
    if reference is None:
        crossfit, places = core_of([rows[i] for i in sound], settings)
        core = [sound[place] for place in places]
    else:
        crossfit = Crossfit([episode_rows(each, settings.inputs) for each in reference], settings)
        core = []
    steps = np.concatenate([crossfit.surprise_own(i) for i in range(len(crossfit.rows))])
    width = episodes[0].observations.shape[1]
    judged = _Judge(crossfit, core, settings, env_id, width)
    return Audit(
        [judged(i, rows.get(i), faults[i]) for i in range(len(episodes))],
        len(crossfit.rows),
        conformal.threshold(crossfit.known, settings.false_alarms),
        conformal.threshold(steps.astype(np.float64), settings.step_false_alarms),
    )


def _facts(
    episodes: Sequence[Episode], reference: Sequence[Episode] | None
) -> list[tuple[str, ...]]:
    """What needs no model, for each episode."""
    wrong = [broken(episode) for episode in episodes]
    sound = [i for i, why in enumerate(wrong) if why is None]
    whole = [episodes[i] for i in sound]
    found: list[tuple[str, ...]] = [() if why is None else (why,) for why in wrong]
    copies, dead = duplicates(whole), dead_sensors(whole, reference)
    for i, copy, still in zip(sound, copies, dead, strict=True):
        if copy is not None:
            found[i] += (f"a copy of episode {sound[copy]}",)
        if still:
            shown = ", ".join(map(str, still[:3])) + (", …" if len(still) > 3 else "")
            found[i] += (f"stands still: observation {shown}",)
    return found


@dataclass(frozen=True)
class _Judge:
    """Makes verdicts."""

    crossfit: Crossfit
    core: list[int]
    settings: AuditSettings
    env_id: str | None
    width: int  # O

    def __call__(self, i: int, rows: Tensor | None, faults: tuple[str, ...]) -> Verdict:
        if rows is None:
            p, nothing = conformal.p_value(0, len(self.crossfit.rows)), np.empty(0, np.float32)
            return Verdict(i, np.inf, p, "cannot be scored", nothing, faults, True)
        if i in self.core:
            place = self.core.index(i)
            score, channel, exceeding = self.crossfit.judge_own(place)
            surprise = self.crossfit.surprise_own(place)
            p = conformal.p_value(exceeding, len(self.core) - 1)
        else:
            score, channel, exceeding = self.crossfit.judge(rows)
            surprise = self.crossfit.surprise(rows)
            p = conformal.p_value(exceeding, len(self.crossfit.rows))
            known = self.crossfit.known
            if conformal.gross(np.append(known, score))[-1]:
                faults += ("grossly unusual",)
        return Verdict(
            i, score, p, self._reason(channel), surprise, faults,
            p <= self.settings.false_alarms + 1e-9,
        )  # fmt: skip

    def _reason(self, channel: int) -> str:
        if channel == 0:
            return "whole steps"
        features = self.crossfit.scorers[0].features
        column = int(features.live.nonzero().flatten()[channel - 1])
        return column_name(column, self.width, self.settings.inputs, self.env_id)


def column_name(column: int, width: int, inputs: Inputs, env_id: str | None = None) -> str:
    """What a dimension of a row is.

    Args:
        column: its number.
        width: O.
        inputs: what rows are made of.
        env_id: Gymnasium id, whose sensors may have names.

    >>> column_name(14, 105, "sa", "Ant-v5"), column_name(106, 105, "sa", "Ant-v5")
    ('observation 14 (qvel 1)', 'action 1')
    """
    if column >= width:
        kind = "action" if inputs == "sa" else "next observation"
        return f"{kind} {column - width}"
    for part, where in (TASKS[env_id].parts() if env_id and env_id in TASKS else {}).items():
        if where.start <= column < where.stop:
            return f"observation {column} ({part} {column - where.start})"
    return f"observation {column}"
