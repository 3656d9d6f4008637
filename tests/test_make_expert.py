"""``scripts/make_expert.py`` on the toy task."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import gail
from envs import toy
from gail import Demonstrations

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from make_expert import Expert


def test_an_expert_is_recorded_once_it_is_good_enough(tmp_path: Path) -> None:
    expert = Expert(tmp_path, env=toy.ID, steps=2048, settle=0, episodes=12, least=1000.0)
    with pytest.raises(SystemExit, match="not an expert"):
        expert.make()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    replace(expert, steps=4096, least=-1000.0, falls=1.0).make()
    assert not Demonstrations.load(tmp_path / "toy-pointmass-v0.npz").terminated.any()
    saved = gail.load(tmp_path / "toy-pointmass-v0-expert.zip", device="cpu")
    assert saved.num_timesteps == 4096


def test_the_second_stage_starts_from_the_first(tmp_path: Path) -> None:
    expert = Expert(tmp_path, toy.ID, steps=2048, settle=2048, episodes=8, least=-1e3, falls=1.0)
    expert.make()
    flags = json.loads((tmp_path / "settled" / "config.json").read_text())["flags"]
    assert flags["start_from"] == str(tmp_path / "run")
    assert flags["ppo"]["gamma"] == 0.998
    settled, shipped = tmp_path / "settled" / "policy.zip", tmp_path / "toy-pointmass-v0-expert.zip"
    assert settled.read_bytes() == shipped.read_bytes()
