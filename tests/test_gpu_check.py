"""``scripts/gpu_check.py`` on the processor, in sizes that measure nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("mujoco_warp")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from gpu_check import GpuCheck, Part, apart

PARTS: tuple[Part, ...] = ("parity", "speed", "profile", "gail")


def check(out: Path, *parts: Part, minutes: float = 9.0) -> GpuCheck:
    return GpuCheck(out, parts or PARTS, ("Ant-v5",), "cpu", minutes=minutes, tiny=True, episodes=1)


def test_every_part_leaves_raw_figures(tmp_path: Path) -> None:
    check(tmp_path).run()
    for part in PARTS:
        found = json.loads((tmp_path / f"{part}-ant-v5.json").read_text())
        assert found["kind"] == f"gpu-{part}"
        assert found["hardware"]["device"] == "processor"
        assert {"mujoco-warp", "warp-lang"} <= found["versions"].keys()
    assert found["curve"][-1]["steps"] == 320
    assert list((tmp_path / "gail-ant-v5").glob("policy-*.zip"))
    before = (tmp_path / "gail-ant-v5.json").read_bytes()
    check(tmp_path).run()
    assert (tmp_path / "gail-ant-v5.json").read_bytes() == before, "nothing is done twice"


def test_training_stops_in_time_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([1.0, 1.0, 1.0, *[-1.0] * 9])
    with monkeypatch.context() as patch:
        patch.setattr(GpuCheck, "left", lambda self: next(calls))
        check(tmp_path, "gail").run()
    assert not (tmp_path / "gail-ant-v5.json").exists()
    kept = json.loads((tmp_path / "gail-ant-v5" / "clock.json").read_text())
    assert 0 < kept["curve"][-1]["steps"] < 320
    check(tmp_path, "gail").run()
    found = json.loads((tmp_path / "gail-ant-v5.json").read_text())
    assert found["curve"][-1]["steps"] >= 320
    assert found["seconds"] > kept["seconds"]
    assert len(found["calls"]) == 2


def test_without_time_nothing_begins(tmp_path: Path) -> None:
    check(tmp_path, minutes=0.0).run()
    assert not list(tmp_path.iterdir())


def test_difference_in_standard_errors() -> None:
    assert apart([1.0, 3.0], [1.0, 3.0]) == 0.0
    assert apart([2.0, 4.0], [1.0, 3.0]) == pytest.approx(1 / 2**0.5)
