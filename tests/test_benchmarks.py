"""The published tables are the raw scores, and nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import make_tables  # noqa: E402
import record_result  # noqa: E402

RECORDS = sorted((ROOT / "benchmarks").glob("*.json"))


def test_tables_are_generated_from_the_raw_scores() -> None:
    assert (ROOT / "benchmarks" / "README.md").read_text() == make_tables.render()
    readme = (ROOT / "README.md").read_text()
    assert readme == make_tables.with_results(readme)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_summaries_follow_from_the_episodes(path: Path) -> None:
    record = json.loads(path.read_text())
    assert record["commit"]
    assert record["command"]
    if record["kind"] == "throughput":
        pairs = zip(*(record["steps_per_second"][k] for k in ("loop", "engine")), strict=True)
        assert record["loop_over_engine"] == pytest.approx([a / b for a, b in pairs])
        return
    assert len(record["returns"]) == record["episodes"] >= 50
    assert record["mean_return"] == pytest.approx(np.mean(record["returns"]))
    assert record["fall_rate"] == pytest.approx(np.mean(record["falls"]))
    if record["expert_return"] is not None:
        span = record["expert_return"] - record["random_return"]
        score = (record["mean_return"] - record["random_return"]) / span
        assert record["normalised_score"] == pytest.approx(score)


def test_commands_name_no_folders() -> None:
    words = ["/somewhere/gail", "train", "--demonstrations", "/data/ant.npz", "--out", "/x/y"]
    assert record_result.command(words) == "gail train --demonstrations ant.npz"
