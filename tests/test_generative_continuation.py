"""A training that was cut off goes on as if it had not been, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_families import Denoiser, Duel, denoiser, generator, rows, same, values

from generative import (
    ArchiveError,
    Dequantise,
    DivergenceError,
    Monitor,
    NeuralModel,
    Standardise,
    Training,
    trainer,
)

FOUR = Training(epochs=4, batch_size=32, learning_rate=0.01)
TWO = replace(FOUR, epochs=2)
LEVELS = torch.randint(0, 9, (100, 2), generator=generator(), dtype=torch.uint8)

# A family, its data, and how it is trained.
CASES: dict[str, tuple[Callable[[], NeuralModel], dict[str, Any]]] = {
    "plain": (denoiser, {"x": rows()}),
    "standardised, validated": (
        lambda: denoiser(Standardise()),
        {"x": rows(), "validation": 0.2, "training": replace(FOUR, patience=3)},
    ),
    "noise in the preprocessing": (lambda: denoiser(Dequantise(9)), {"x": LEVELS}),
    "two players": (Duel, {"x": rows()}),
    "sequences": (denoiser, {"x": torch.randn(100, 5, 2), "lengths": torch.arange(100) % 5 + 1}),
    "cosine": (denoiser, {"x": rows(), "training": replace(FOUR, schedule="cosine")}),
}


class Stop(Exception):
    """What cuts a training off."""


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint at each step."""
    monkeypatch.setattr(trainer, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stop", [5, 8])  # within an epoch, and between two
@pytest.mark.usefixtures("every_step")
def test_what_was_cut_off_goes_on_exactly(
    name: str, stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, arguments = CASES[name]
    arguments = {"training": FOUR, **arguments}
    whole: list[dict[str, float]] = []
    model = make().fit(**arguments, generator=generator(), monitor=kept(None, whole))
    path = tmp_path / "checkpoint.zip"
    cut: list[dict[str, float]] = []
    original = trainer.Trainer.take_step

    def take_step(self: trainer.Trainer) -> None:
        if self.step == stop:
            raise Stop
        original(self)

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "take_step", take_step)
        with pytest.raises(Stop):
            make().fit(**arguments, generator=generator(), monitor=kept(path, cut))
    again = make().fit(**arguments, generator=generator(99), monitor=kept(path, cut))
    assert same(values(again), values(model))
    assert cut == whole


def kept(path: Path | None, metrics: list[dict[str, float]]) -> Monitor:
    return Monitor(checkpoint=path, report=lambda epoch, means: metrics.append(means))


@pytest.mark.parametrize("name", [name for name in CASES if name != "cosine"])
def test_two_epochs_and_two_more_are_four(name: str, tmp_path: Path) -> None:
    make, arguments = CASES[name]
    four = arguments.get("training", FOUR)
    arguments = {key: value for key, value in arguments.items() if key != "training"}
    monitor = Monitor(checkpoint=tmp_path / "checkpoint.zip")
    whole = make().fit(**arguments, training=four, generator=generator())
    two = replace(four, epochs=2)
    make().fit(**arguments, training=two, generator=generator(), monitor=monitor)
    both = make().fit(**arguments, training=four, monitor=monitor)
    assert same(values(both), values(whole))
    again = make().fit(**arguments, training=four, monitor=monitor)
    assert same(values(again), values(whole))


@pytest.mark.usefixtures("every_step")
def test_early_stopping_goes_on_as_it_was(tmp_path: Path) -> None:
    """The best weights and how long nothing was better are in the checkpoint."""
    training = Training(epochs=40, learning_rate=0.05, patience=3)
    arguments: dict[str, Any] = {"x": rows(), "validation": -rows(50), "training": training}
    epochs: list[int] = []
    seen = Monitor(report=lambda epoch, metrics: epochs.append(epoch))
    whole = denoiser().fit(**arguments, generator=generator(), monitor=seen)
    last = epochs[-1]
    monitor = replace(seen, checkpoint=tmp_path / "checkpoint.zip")
    with pytest.raises(Stop):
        denoiser().fit(
            **arguments, generator=generator(), monitor=replace(monitor, report=stop_after(last))
        )
    for _ in range(2):
        again = denoiser().fit(**arguments, monitor=monitor)
        assert same(values(again), values(whole))
        assert epochs[-1] == last


def stop_after(epochs: int) -> Callable[[int, dict[str, float]], None]:
    def report(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == epochs:
            raise Stop

    return report


class Other(Denoiser):
    """The same, by another name."""


@pytest.mark.parametrize(
    ("model", "changed", "says"),
    [
        (Other, {}, "another model \\(Denoiser; here Other"),
        (lambda: denoiser(Standardise()), {}, "another model setting \\(preprocessing"),
        (denoiser, {"x": rows(101)}, "another data set"),
        (denoiser, {"validation": 0.3}, "another data set"),
        (denoiser, {"context": torch.zeros(100, 1)}, "another data set"),
        (
            denoiser,
            {"training": replace(TWO, batch_size=9)},
            r"another training setting \(batch_size 32; here batch_size 9\)",
        ),
        (denoiser, {"training": replace(TWO, schedule="cosine")}, "epochs None.*here .*epochs 2"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_and_stays(
    model: Callable[[], Denoiser], changed: dict[str, Any], says: str, tmp_path: Path
) -> None:
    monitor = Monitor(checkpoint=tmp_path / "checkpoint.zip")
    assert monitor.checkpoint is not None
    arguments: dict[str, Any] = {"x": rows(), "training": TWO, "monitor": monitor}
    denoiser().fit(**arguments)
    written = monitor.checkpoint.read_bytes()
    other = model()
    before = values(other)
    with pytest.raises(ArchiveError, match=says):
        other.fit(**{**arguments, **changed})
    assert same(values(other), before)
    assert monitor.checkpoint.read_bytes() == written


def test_files_that_are_no_checkpoints_are_refused_and_stay(tmp_path: Path) -> None:
    junk, saved = tmp_path / "junk.zip", tmp_path / "model.zip"
    junk.write_bytes(b"no zip")
    denoiser().fit(rows(), training=TWO).save(saved)
    for path, says in ((junk, "damaged"), (saved, "holds no training")):
        written = path.read_bytes()
        model = denoiser()
        before = values(model)
        with pytest.raises(ArchiveError, match=says):
            model.fit(rows(), training=TWO, monitor=Monitor(checkpoint=path))
        assert path.read_bytes() == written
        assert same(values(model), before)


def test_a_checkpoint_of_an_older_net_is_refused(tmp_path: Path) -> None:
    """The same name and settings, other weights."""
    monitor = Monitor(checkpoint=tmp_path / "checkpoint.zip")
    denoiser().fit(rows(), training=TWO, monitor=monitor)
    model = denoiser()
    model.net.append(torch.nn.Linear(2, 2))
    before = values(model)
    with pytest.raises(ArchiveError, match="does not fit this version of Denoiser"):
        model.fit(rows(), training=TWO, monitor=monitor)
    assert same(values(model), before)


@pytest.mark.usefixtures("every_step")
def test_a_failure_does_not_replace_a_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = Monitor(checkpoint=tmp_path / "checkpoint.zip")
    original = Denoiser.loss

    def loss(self: Denoiser, *arguments: Any) -> dict[str, torch.Tensor]:
        losses = original(self, *arguments)
        factor = float("nan") if arguments[1].step >= 5 else 1.0
        return losses | {"loss": losses["loss"] * factor}

    with monkeypatch.context() as patch:
        patch.setattr(Denoiser, "loss", loss)
        with pytest.raises(DivergenceError, match="loss is nan"):
            denoiser().fit(rows(), training=FOUR, generator=generator(), monitor=monitor)
    model = denoiser().fit(rows(), training=FOUR, monitor=monitor)
    assert same(values(model), values(denoiser().fit(rows(), training=FOUR, generator=generator())))
