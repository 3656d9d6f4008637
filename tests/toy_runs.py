"""Small runs of ``gail train`` on the toy task, and how to compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from envs import toy
from gail import checkpoint
from gail.cli import main

SMALL = (
    *("--ppo.num-envs", "8", "--ppo.n-steps", "16", "--ppo.batch-size", "64"),
    *("--ppo.net-arch", "16", "--discriminator.hidden", "16", "--cloning.steps", "20"),
    *("--discriminator.updates", "2", "--discriminator.batch-size", "64"),
)


def train(*arguments: object) -> int:
    """``gail train`` on the toy task, small."""
    return main(["train", "--env", toy.ID, *SMALL, *map(str, arguments)])


def weights(path: Path) -> dict[str, Any]:
    _, sections = checkpoint.read(path)
    return {f"{s}.{k}": v for s, tensors in sections.items() for k, v in tensors.items()}


def same_weights(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all((first[k] == second[k]).all() for k in first)


def sentence(told: str) -> str:
    """The last line on the standard error stream, which must be ours and the only complaint."""
    complaints = [line for line in told.splitlines() if line.startswith("gail: ")]
    assert len(complaints) == 1, told
    assert told.rstrip().splitlines()[-1] == complaints[0]
    assert "Traceback" not in told
    return complaints[0]
