"""Conformal thresholds: their rate of false alarms, and when there are too few scores."""

from __future__ import annotations

import numpy as np
import pytest

from gail import conformal


@pytest.mark.parametrize(("known", "rate"), [(19, 0.05), (39, 0.05), (24, 0.1), (9, 0.3)])
@pytest.mark.parametrize("kind", ["normal", "lognormal"])
def test_false_alarms_come_at_most_at_the_rate(known: int, rate: float, kind: str) -> None:
    random = np.random.default_rng(0)
    scores = getattr(random, kind)(size=(4000, known + 1))
    alarms = np.mean([row[-1] > conformal.threshold(row[:-1], rate) for row in scores])
    assert alarms <= rate + 0.012
    assert alarms >= rate - 1 / (known + 1) - 0.012


def test_p_values_and_threshold_agree() -> None:
    known = np.random.default_rng(1).normal(size=30)
    line = conformal.threshold(known, 0.1)
    for score in (*known + 1e-9, *known - 1e-9, -9.0, 9.0):
        p = conformal.p_value(int((known >= score).sum()), len(known))
        assert (p <= 0.1) == (score > line)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.25, 0.5, 1 / 3])
def test_as_many_scores_as_needed_give_a_threshold_and_one_less_does_not(rate: float) -> None:
    needed = conformal.needed(rate)
    assert np.isfinite(conformal.threshold(np.arange(float(needed)), rate))
    assert conformal.threshold(np.arange(float(needed - 1)), rate) == np.inf
    assert conformal.smallest_rate(needed) >= rate - 1e-9


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_is_between_0_and_1(rate: float) -> None:
    with pytest.raises(ValueError, match="give a number between 0 and 1"):
        conformal.needed(rate)


def test_gross_scores_do_not_hide_one_another() -> None:
    good = np.random.default_rng(2).gumbel(size=30)
    for bad in (1, 5, 12):
        found = conformal.gross(np.concatenate([good, np.full(bad, 40.0)]))
        assert found.tolist() == [False] * 30 + [True] * bad


def test_scores_that_are_all_the_same_are_not_gross() -> None:
    assert not conformal.gross(np.ones(5)).any()
