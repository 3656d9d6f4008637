"""Every example in a docstring of the packages runs and shows what it gives."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

PACKAGES = ("gail", "generative", "envs")


def module_names() -> list[str]:
    """Every module of the three packages."""
    packages = [importlib.import_module(name) for name in PACKAGES]
    inside = [
        module.name
        for package in packages
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    ]
    return [*PACKAGES, *inside]


@pytest.mark.parametrize("name", module_names())
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert not doctest.testmod(importlib.import_module(name), optionflags=options).failed
