"""Settings that every test shares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

# Nets this small lose more to two threads waiting for each other than they gain: one thread
# here, and in the processes that tests start.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Start every test from the same random stream, in whatever order tests run."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations of the toy task."""
    from experts import point_mass_demonstrations

    path = tmp_path_factory.mktemp("data") / "expert.npz"
    point_mass_demonstrations(4).save(path)
    return path


@pytest.fixture(scope="session")
def finished(expert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that ended; tests leave it as it is."""
    from toy_runs import train

    out = tmp_path_factory.mktemp("runs") / "run"
    code = train("--demonstrations", expert, "--steps", 512, "--episodes", 3, "--out", out)
    assert code == 0
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(finished, tmp_path / "run"))
