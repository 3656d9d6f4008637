"""Trainings that end in time."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_families import denoiser, generator, same

from generative import Monitor, Training

X = torch.randn(64, 2, generator=generator())
ENDLESS = 10**9  # epochs


def test_minutes_end_a_training_within_an_epoch() -> None:
    rows = X.repeat(10_000, 1)  # an epoch of 640,000 steps
    told: list[int] = []
    began = time.monotonic()
    model = denoiser().fit(
        rows,
        training=Training(ENDLESS, 1, minutes=0.01),
        monitor=Monitor(report=lambda epoch, metrics: told.append(epoch)),
        generator=generator(),
    )
    assert 0.6 < time.monotonic() - began < 30
    assert model.epochs_trained == 1
    assert told == [1]


def test_epochs_that_are_over_before_end_it_too() -> None:
    one, other = (
        denoiser().fit(X, training=Training(3, 16, minutes=minutes), generator=generator())
        for minutes in (None, 60.0)
    )
    assert other.epochs_trained == 3
    assert same(one.state_dict(), other.state_dict())


def test_what_ended_in_time_goes_on(tmp_path: Path) -> None:
    short = Training(2, 16, patience=2, minutes=1e-6)  # one step of eight
    told: list[tuple[int, dict[str, float]]] = []

    def fit(training: Training, **monitored: Any) -> Any:
        monitor = Monitor(report=lambda *epoch: told.append(epoch), **monitored)
        return denoiser().fit(
            X, training=training, validation=0.2, monitor=monitor, generator=generator()
        )

    for _ in range(3):
        assert fit(short, checkpoint=tmp_path / "checkpoint.zip").epochs_trained == 1
    goes_on = fit(replace(short, minutes=None), checkpoint=tmp_path / "checkpoint.zip")
    cut, told = told[3:], []
    whole = fit(replace(short, minutes=None))
    assert same(goes_on.state_dict(), whole.state_dict())
    assert cut == told


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_minutes_are_positive(minutes: float) -> None:
    with pytest.raises(ValueError, match="minutes"):
        Training(minutes=minutes)
