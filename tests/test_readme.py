"""The README's Python examples run, and its commands are the ones that are checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def python_blocks() -> list[str]:
    """Every ``python`` block, moved down to its line so that a traceback names README lines."""
    found = re.finditer(r"^```python\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
    return ["\n" * README.count("\n", 0, block.start(1)) + block[1] for block in found]


def test_python_examples_run_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one namespace, in a folder that has the shipped demonstrations and nothing else."""
    (tmp_path / "expert_data").symlink_to(ROOT / "expert_data", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks()
    assert blocks
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)


def test_the_test_command_is_what_the_checks_run() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    command = " && ".join(line for line in lines if line.startswith(("pip install", "pytest")))
    assert command.endswith("&& pytest")
    assert command in README


def test_the_first_command_installs_with_the_tested_versions() -> None:
    assert "pip install -c constraints.txt -e . && gail train" in README
