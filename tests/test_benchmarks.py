"""The published tables and curves are the raw scores, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gail.bench.score import scores_in

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import make_ablation_table  # noqa: E402
import make_tables  # noqa: E402
import record_result  # noqa: E402

RECORDS = sorted((ROOT / "benchmarks").glob("*.json"))


def test_tables_and_curves_are_generated_from_the_raw_scores() -> None:
    made = make_tables.render()
    assert {path.name for path in (ROOT / "benchmarks").glob("*.svg")} == made.keys() - {
        "README.md"
    }
    for name, content in made.items():
        assert (ROOT / "benchmarks" / name).read_text() == content, "run scripts/make_tables.py"
    readme = (ROOT / "README.md").read_text()
    assert readme == make_tables.with_results(readme), "run scripts/make_tables.py"


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_summaries_follow_from_the_episodes(path: Path) -> None:
    file = json.loads(path.read_text())
    if file["kind"] == "throughput":
        speeds = file["steps_per_second"]
        for other, ratios in file["loop_over"].items():
            pairs = zip(speeds["loop"], speeds[other], strict=True)
            assert ratios == pytest.approx([a / b for a, b in pairs])
        return
    records = file["records"] if file["kind"] == "suite" else [file]
    for record, score in zip(records, scores_in(path), strict=True):
        assert record["commit"]
        assert record["command"]
        if score.diverged is not None:
            assert score.returns == []
            continue
        assert len(record["returns"]) == record["episodes"] >= 50
        assert record["mean_return"] == pytest.approx(np.mean(record["returns"]))
        assert record["fall_rate"] == pytest.approx(np.mean(record["falls"]))
        assert record["normalised_score"] == pytest.approx(score.normalised_score)


def test_rows_come_by_task_then_demonstrations_then_method_and_peers_are_explained() -> None:
    found = make_tables.all_conditions()
    files = [(row.environment, row.scores[0].demonstrations is None, row.hash) for row in found]
    assert [key[:2] for key in files] == sorted(key[:2] for key in files)
    assert len({*files}) == sum(a != b for a, b in zip(files, [None, *files], strict=False))
    note = make_tables.peer_note(found)
    assert "10,000,000 steps" in note
    assert "999,424 steps" in note
    assert make_tables.peer_note([row for row in found if row.method == "gail"]) == ""


def test_a_result_is_recorded_from_a_runs_folder(tmp_path: Path) -> None:
    from gail.cli import main

    run, out = tmp_path / "run", tmp_path / "score.json"
    words = ["train", "--env", "toy/PointMass-v0", "--method", "bc", "--cloning.steps", "5"]
    assert main([*words, "--episodes", "2", "--no-video", "--out", str(run)]) == 0
    record_result.Record(run, out).run()
    (score,) = scores_in(out)
    assert (score.method, len(score.returns)) == ("bc", 2)
    assert str(tmp_path) not in out.read_text()
    (run / "evaluation.json").unlink()
    with pytest.raises(SystemExit, match="score it first"):
        record_result.Record(run, out).run()


def test_the_ablation_table_is_generated_from_its_raw_scores() -> None:
    page = (ROOT / "benchmarks" / "humanoid" / "README.md").read_text()
    assert page == make_ablation_table.render(), "run scripts/make_ablation_table.py"
