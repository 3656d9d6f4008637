"""The published tables of models reused for imitation are the raw figures, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import make_reuse_tables as tables  # noqa: E402

RECORDS = tables.read()


def test_the_page_is_generated() -> None:
    assert (tables.FOLDER / "README.md").read_text() == tables.render(RECORDS)


def test_every_record_is_shown() -> None:
    page = tables.render(RECORDS)
    for record in RECORDS:
        assert record["kind"] in tables.TABLES
        assert f"]({record['file']})" in page
        assert record["commit"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["file"])
def test_what_is_derived_follows_from_the_raw_figures(record: tables.Record) -> None:
    match record["kind"]:
        case "audit-detection":
            for kind, area in record["auroc"].items():
                each = [split["auroc"][kind] for split in record["splits"]]
                assert area == pytest.approx(np.mean(each), abs=1e-4)
                assert record["worst_auroc"][kind] == min(each)
        case "sensor-repair":
            for row in record["results"]:
                kept = row["mean_return"] / record["whole"]
                assert row["kept"] == pytest.approx(kept, abs=1e-3)
        case "policy-distance":
            returns = [value for _, value, _ in record["curve"]]
            assert record["best_return"] == pytest.approx(max(returns), abs=0.1)
            share = record["nearest_return"] / max(returns)
            assert record["share_of_the_best"] == pytest.approx(share, abs=1e-3)
        case "audit-cleaning":
            for found in record["results"].values():
                for method, clean in record["clean"].items():
                    dirty, cleaned = found["dirty"][method], found["cleaned"][method]
                    lost = clean["mean"] - dirty["mean"]
                    if found["regained"][method] is None:
                        assert lost < 0.05 * clean["mean"]
                    else:
                        share = (cleaned["mean"] - dirty["mean"]) / lost
                        assert found["regained"][method] == pytest.approx(share, abs=1e-3)
        case "reuse-speed":
            share = record["repair_ms"] / record["simulation_ms"]
            assert record["repair_share"] == pytest.approx(share, abs=1e-3)
