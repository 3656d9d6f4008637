"""Settings that every test shares."""

from __future__ import annotations

import os

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
