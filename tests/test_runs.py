"""Laws of run folders, checkpoints, signals and curves that survive a crash."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from learners import Learner, write_checkpoint

from gail.curves import STEP
from gail.errors import GailError
from gail.runs import Interrupted, Keeper, RunFolder, provenance


def steps_of(run: RunFolder) -> list[int]:
    return [int(path.stem.removeprefix("step-")) for path in run.checkpoints()]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create("toy/PointMass-v0", tmp_path / "run")


# --- folders ------------------------------------------------------------------------------


def test_a_new_run_gets_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = {RunFolder.create("toy/PointMass-v0").path for _ in range(3)}
    assert len(paths) == 3
    assert all(path.parent == Path("runs") for path in paths)
    assert all(path.name.startswith("toy-pointmass-v0-") for path in paths)


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(GailError, match="not empty"):
        RunFolder.create("Ant-v5", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert RunFolder.create("Ant-v5", empty).path == empty


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")  # root may write anywhere but below a file
    for path in (tmp_path / "file" / "run", tmp_path / "file"):
        with pytest.raises(GailError, match="--out"):
            RunFolder.create("Ant-v5", path)


def test_json_is_written_whole_or_not_at_all(run: RunFolder) -> None:
    run.write_json("config.json", {"a": 1})
    with pytest.raises(TypeError):
        run.write_json("config.json", {"a": object()})
    assert run.config() == {"a": 1}
    assert sorted(path.name for path in run.path.iterdir()) == ["checkpoints", "config.json"]


@pytest.mark.parametrize("content", ["", '{"a": ', "[1]"])
def test_a_damaged_config_gets_a_sentence(run: RunFolder, content: str) -> None:
    (run.path / "config.json").write_text(content)
    with pytest.raises(GailError, match=r"config\.json"):
        run.config()


def test_there_is_no_run_in_any_other_folder(tmp_path: Path) -> None:
    with pytest.raises(GailError, match="no run"):
        RunFolder.open(tmp_path)


def test_provenance_is_json_and_names_what_a_result_depends_on() -> None:
    import torch

    told = json.loads(json.dumps(provenance(torch.device("cpu"))))
    assert {"python", "torch", "gymnasium", "mujoco", "stable-baselines3"} <= told[
        "versions"
    ].keys()
    assert {"commit", "hardware", "device", "command_line"} <= told.keys()


# --- checkpoints --------------------------------------------------------------------------


def test_the_last_three_checkpoints_are_kept(run: RunFolder) -> None:
    Learner().learn(Keeper(run, seconds=0), iterations=8)
    assert steps_of(run) == [80, 70, 60]


def test_checkpoints_take_a_small_share_of_the_time(run: RunFolder) -> None:
    seconds = itertools.count()  # each look at the clock takes one, and so does each save
    Learner().learn(Keeper(run, seconds=1, clock=lambda: next(seconds)), iterations=50)
    end, second, first = steps_of(run)
    assert end == 500
    assert 190 <= first <= 210
    assert 190 <= second - first <= 210


def test_checkpoints_wait_for_their_time(run: RunFolder) -> None:
    Learner().learn(Keeper(run, seconds=1e9), iterations=8)
    assert steps_of(run) == [80, 0]  # before the first iteration and at the end


def test_the_newest_sound_checkpoint_is_found(run: RunFolder) -> None:
    for step in (10, 20, 30):
        write_checkpoint(run.checkpoint_path(step), step)
    assert run.latest_checkpoint() == run.checkpoint_path(30)
    whole = run.checkpoint_path(30).read_bytes()
    run.checkpoint_path(30).write_bytes(whole[: len(whole) // 2])  # cut off
    assert run.latest_checkpoint() == run.checkpoint_path(20)
    flipped = bytearray(run.checkpoint_path(20).read_bytes())
    flipped[flipped.index(b"20")] ^= 1  # one bit of the content
    run.checkpoint_path(20).write_bytes(flipped)
    assert run.latest_checkpoint() == run.checkpoint_path(10)
    run.checkpoint_path(10).write_bytes(b"")
    with pytest.raises(GailError, match="No readable checkpoint"):
        run.latest_checkpoint()


# --- signals ------------------------------------------------------------------------------


class SignalAt(Learner):
    """Sends this process a signal at one step."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__()
        self.number, self.step = number, step

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "num_timesteps" and value == getattr(self, "step", None):
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_iteration_saves_and_stops(run: RunFolder, number: int) -> None:
    before = signal.getsignal(number)
    with Keeper(run, seconds=1e9) as keeper:
        learner = SignalAt(number, step=34)
        learner.learn(keeper, iterations=8)
    assert keeper.signal == number
    assert keeper.saved_step == 40
    assert learner.num_timesteps == 41
    assert steps_of(run) == [40, 0]
    assert signal.getsignal(number) is before


def test_a_signal_outside_training_interrupts_at_once(run: RunFolder) -> None:
    with pytest.raises(Interrupted, match="SIGTERM") as caught, Keeper(run):
        os.kill(os.getpid(), signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM
    assert isinstance(caught.value, KeyboardInterrupt)


def test_a_second_signal_interrupts_at_once(run: RunFolder) -> None:
    class Twice(SignalAt):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "num_timesteps" and value == 36:
                os.kill(os.getpid(), self.number)

    with pytest.raises(Interrupted), Keeper(run, seconds=1e9) as keeper:
        Twice(signal.SIGTERM, step=34).learn(keeper, iterations=8)
    assert steps_of(run) == [0]


# --- curves -------------------------------------------------------------------------------


def log(run: RunFolder, steps: range, *, resumed_at: int | None = None) -> None:
    logger = run.logger(resumed_at)
    for step in steps:
        if step > 10:
            logger.record("late/metric", 2.0 * step)
        logger.record(STEP, step)
        logger.dump(step)
    logger.close()


def rows(run: RunFolder) -> list[dict[str, str]]:
    with (run.path / "progress.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_resumed_run_continues_its_curves(run: RunFolder) -> None:
    log(run, range(10, 60, 10))
    log(run, range(40, 80, 10), resumed_at=30)
    assert [int(row[STEP]) for row in rows(run)] == [10, 20, 30, 40, 50, 60, 70]
    assert [row["late/metric"] for row in rows(run)[:2]] == ["", "40.0"]
    assert not any(None in row for row in rows(run))


def test_rows_cut_off_by_a_crash_are_dropped(run: RunFolder) -> None:
    log(run, range(10, 60, 10))
    path = run.path / "progress.csv"
    path.write_text(path.read_text()[:-3])
    log(run, range(50, 80, 10), resumed_at=50)
    assert [int(row[STEP]) for row in rows(run)] == [10, 20, 30, 40, 50, 60, 70]


def test_a_run_killed_before_its_first_row_resumes(run: RunFolder) -> None:
    (run.path / "progress.csv").write_text("")
    log(run, range(10, 30, 10), resumed_at=0)
    assert [int(row[STEP]) for row in rows(run)] == [10, 20]


def test_tensorboard_hides_what_the_resumed_run_repeats(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log(run, range(10, 60, 10))
    # TensorBoard reads event files by name: the second they were made in, then a count without
    # leading zeros. Within one second the tenth of a process would come before the ninth.
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 1)
    log(run, range(40, 80, 10), resumed_at=30)
    events = EventAccumulator(str(run.path)).Reload()
    assert [event.step for event in events.Scalars(STEP)] == [10, 20, 30, 40, 50, 60, 70]
