"""What the packages may import and call, read off their syntax trees."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gail", "generative", "envs")
OURS = {*PACKAGES, "tests", "scripts", "benchmarks"}
MAY_IMPORT = {
    "gail": {"gail", "generative", "envs"},
    "generative": {"generative"},
    "envs": {"envs"},
}
UNSAFE_MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "joblib",
    "marshal",
    "shelve",
}
UNSAFE_CALLS = {
    *("eval", "exec", "builtins.eval", "builtins.exec"),
    *("torch.load", "torch.jit.load", "torch.serialization.load"),
    "stable_baselines3.common.save_util.load_from_pkl",
    "stable_baselines3.common.save_util.load_from_zip_file",
}
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").glob("*.py"))


def tree_of(source: str, file: Path) -> ast.Module:
    return ast.parse(source, filename=str(file))


def imported_names(tree: ast.AST, file: Path) -> Iterator[tuple[str, str]]:
    """Pairs of full dotted name and the name it has in the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, alias.asname or alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            parts = file.relative_to(ROOT).parts[: -node.level] if node.level else ()
            module = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{module}.{alias.name}", alias.asname or alias.name
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value, ""


def dotted(node: ast.AST) -> str:
    """``a.b.c`` for names and attributes of names, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


def wrong_directions(source: str, file: Path) -> list[str]:
    """Our packages that a file imports and must not."""
    tops = {name.split(".")[0] for name, _ in imported_names(tree_of(source, file), file)}
    return sorted((tops & OURS) - MAY_IMPORT[file.relative_to(ROOT).parts[0]])


def unsafe(source: str, file: Path) -> list[str]:
    """Everything in a file that could run code found in data."""
    tree = tree_of(source, file)
    imports = list(imported_names(tree, file))
    found = [name for name, _ in imports if name.split(".")[0] in UNSAFE_MODULES]
    found += [name for name, _ in imports if name in UNSAFE_CALLS]
    meaning = {alias: name for name, alias in imports if alias != name.split(".")[0]}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        first, _, rest = dotted(node.func).partition(".")
        name = ".".join(filter(None, [meaning.get(first, first), rest]))
        found += [name] if name in UNSAFE_CALLS else []
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False":
                found.append(ast.unparse(keyword))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_one_way(file: Path) -> None:
    assert wrong_directions(file.read_text(), file) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_is_unpickled_or_evaluated(file: Path) -> None:
    assert unsafe(file.read_text(), file) == []


@pytest.mark.parametrize("file", [*FILES, *TESTS], ids=lambda file: str(file.relative_to(ROOT)))
def test_files_are_short(file: Path) -> None:
    lines = file.read_text().count("\n")
    assert lines <= 300


@pytest.mark.parametrize(
    ("source", "package", "wrong"),
    [
        ("import gail.ppo", "envs", ["gail"]),
        ("def f():\n    from envs import make", "generative", ["envs"]),
        ("from .nets import mlp", "generative", []),
        ("import importlib\nimportlib.import_module('scripts.x')", "gail", ["scripts"]),
        ("import envs, generative, torch", "gail", []),
    ],
)
def test_the_direction_test_sees(source: str, package: str, wrong: list[str]) -> None:
    assert wrong_directions(source, ROOT / package / "module.py") == wrong


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from cloudpickle import loads",
        "import torch as th\nth.load(f)",
        "from torch import load as read\nread(f)",
        "import torch\ntorch.load(f, weights_only=True)",
        "eval('1')",
        "np.load(f, allow_pickle=flag)",
    ],
)
def test_the_safety_test_sees(source: str) -> None:
    assert unsafe(source, ROOT / "gail" / "module.py")


def test_the_safety_test_lets_pass() -> None:
    source = "import numpy as np\nmodel.eval()\nnp.load(f, allow_pickle=False)\ntorch.save(x, f)"
    assert unsafe(source, ROOT / "gail" / "module.py") == []


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {".".join(file.parent.relative_to(ROOT).parts) for file in FILES}
    assert set(listed) == folders | {"gail.expert_data"}
