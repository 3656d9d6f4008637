"""Which episodes of a file are not like the others, and where.

Each step and episode is scored by a mixture fitted to *other* episodes of the file, in folds, or
to a reference file. Scores of episodes become p-values by conformal prediction from scores across
folds (Vovk 2015): an episode is compared with others that were scored by models that had not seen
them either. At first the mixtures learn the better half of the file only (:mod:`gail.robust`),
then all that is not grossly strange to them, so that many bad episodes cannot pass for usual by
their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from envs import TASKS
from gail import conformal
from gail.crossfit import AuditSettings, Crossfit, core_of
from gail.episode_checks import broken, dead_sensors, duplicates
from gail.episodes import Episode
from gail.errors import GailError
from gail.features import Inputs, episode_rows


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
        count = "1 good episode" if known == 1 else f"{known} good episodes"
        raise GailError(
            f"{name} leaves {count} to compare one with, and a false-alarm rate of {rate:g} "
            f"asks for {conformal.needed(rate)}; ask for --false-alarms {least:g} or more, or "
            "compare with a larger --reference."
        )


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
            score, channel, exceeding = self.crossfit.judge(rows, i)
            surprise = self.crossfit.surprise(rows, i)
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
