"""The schema of raw scores: one place, read back as written, told apart by its number."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gail.bench.record import SCHEMA, command, head, read, write
from gail.bench.score import Score, scores_in
from gail.bench.summary import conditions
from gail.errors import GailError

ROOT = Path(__file__).resolve().parent.parent
EXPERT = {"name": "a.npz", "hash": "0123456789abcdef", "episodes": 4, "mean_return": 20.0}


def score(**changed: Any) -> Score:
    whole = Score(
        "gail",
        "Toy-v0",
        run="toy-gail-seed-0",
        demonstrations=EXPERT,
        reference=EXPERT,
        returns=[18.0, 22.0],
        lengths=[5, 5],
        falls=[False, True],
        random_return=0.0,
        expert_return=20.0,
        steps=1000,
        asked_steps=1000,
        seconds=2.0,
        curve=[(500, 3.0)],
        scores=[(0, 1.0), (500, 19.0)],
    )
    return replace(whole, **changed)


def test_a_score_is_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "score.json"
    write(path, score().to_json())
    assert scores_in(path) == [score()]
    record = json.loads(path.read_text())
    assert (record["schema"], record["kind"], record["episodes"]) == (SCHEMA, "score", 2)
    assert (record["mean_return"], record["normalised_score"]) == (20.0, 1.0)
    assert (record["fall_rate"], record["steps_per_second"]) == (0.5, 500.0)


def test_a_suite_is_read_as_written(tmp_path: Path) -> None:
    path, scores = tmp_path / "suite.json", [score(), score(seed=1, run="toy-gail-seed-1")]
    records = [each.to_json() for each in scores]
    write(path, {"schema": SCHEMA, "kind": "suite", "suite": "mine", "records": records})
    assert scores_in(path) == scores
    lines = path.read_text().splitlines()
    assert sum(line.strip().startswith('"returns"') for line in lines) == 2  # a line a field


def test_other_kinds_hold_no_scores(tmp_path: Path) -> None:
    write(tmp_path / "speed.json", head("speed") | {"figure": 3})
    assert scores_in(tmp_path / "speed.json") == []


def test_the_older_schema_is_read_as_this_one(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    added = ("schema", "run", "reference", "asked_steps", "diverged", "scores", "steps_per_second")
    old = {name: value for name, value in score().to_json().items() if name not in added}
    path.write_text(json.dumps(old | {"expert_resets": 0.5}))
    settings = {"expert_resets": 0.5}
    assert scores_in(path) == [score(run="", scores=[], settings=settings)]


WRONG = {
    "damaged": ("{", "cannot be read"),
    "missing": (None, "cannot be read"),
    "no object": ("[]", "kind"),
    "no scores": ("{}", "kind"),
    "newer": ('{"kind": "score", "schema": 99}', "schema 99"),
    "no returns": ('{"kind": "score", "method": "gail", "environment": "A"}', "without returns"),
    "another field": (
        '{"kind": "score", "method": "gail", "environment": "A", "returns": [], "lengths": [],'
        ' "falls": [], "colour": 1}',
        "colour",
    ),
    "another length": (
        '{"kind": "score", "method": "gail", "environment": "A", "returns": [1], "lengths": [],'
        ' "falls": []}',
        "differ",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_cannot_be_used_gets_a_sentence(case: str, tmp_path: Path) -> None:
    content, told = WRONG[case]
    path = tmp_path / "file.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(GailError, match=told) as error:
        scores_in(path)
    assert str(path) in str(error.value)


def test_commands_name_no_folders() -> None:
    words = ["/somewhere/gail", "train", "--demonstrations", "/data/ant.npz", "--out", "/x/y"]
    assert command(words) == "gail train --demonstrations ant.npz"
    assert command(["/site/gail/__main__.py", "doctor"]) == "gail doctor"
    words = ["speed.py", "--file", "../x/a.npz", "--env", "toy/PointMass-v0"]
    assert command(words) == "python scripts/speed.py --file a.npz --env toy/PointMass-v0"


def test_every_script_writes_the_same_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/here/scripts/speed.py", "--threads", "2"])
    made = head("speed", ["scipy"])
    assert made["command"] == "python scripts/speed.py --threads 2"
    assert {"torch", "mujoco", "python", "scipy"} <= made["versions"].keys()
    for path in (ROOT / "scripts").glob("*.py"):
        text = path.read_text()
        assert '"commit":' not in text, path
        if "write(self.out" in text:
            assert "gail.bench.record import" in text, path


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write(path, head("speed"))
    with pytest.raises(TypeError):
        write(path, {"kind": object()})
    assert read(path)["kind"] == "speed"


# --- conditions ---------------------------------------------------------------------------


def test_a_condition_is_its_runs_with_different_seeds() -> None:
    others = [
        score(seed=1),
        score(method="bc", steps=0, asked_steps=0),
        score(every=20),
        score(demonstrations=EXPERT | {"hash": "f"}, reference=EXPERT),
        score(settings={"ppo": {"gamma": 0.9}}),
    ]
    assert [len(each.scores) for each in conditions([score(), *others])].count(2) == 1
    assert len(conditions([score(), *others])) == 5


def test_a_setting_that_is_off_is_as_one_that_does_not_exist() -> None:
    off = score(settings={"ppo": {"gamma": 0.9, "later": None}})
    assert len(conditions([off, score(settings={"ppo": {"gamma": 0.9}}, seed=1)])) == 1


def test_what_a_condition_says_follows_from_its_episodes() -> None:
    (row,) = conditions([score(), score(seed=1, returns=[20.0, 20.0], falls=[False, False])])
    assert row.score == pytest.approx(1.0)
    assert (row.count, row.falls, row.returned) == ("2", "25%", "20 ± 1")
    assert row.middle is not None
    assert row.interval is not None
    assert row.interval[0] <= 1.0 <= row.interval[1]
    assert row.reached(0.9) == "0.00M"
    assert row.reached(1.5) == "never"
    assert row.speed == "500"


def test_a_diverged_run_stays_in_the_table() -> None:
    lost = score(seed=1, returns=[], lengths=[], falls=[], diverged="losses", steps=300)
    (row,) = conditions([score(), lost])
    assert (row.count, row.returned) == ("2, 1 diverged", "20 ± 2")
    (alone,) = conditions([lost])
    assert (alone.count, alone.returned, alone.normalised) == ("1, 1 diverged", *2 * ["diverged"])


def test_a_score_without_a_scale_has_no_share() -> None:
    (row,) = conditions([score(expert_return=None)])
    assert (row.normalised, row.iqm, row.reached(0.9)) == ("–", "–", "–")
