"""The schema of raw scores and figures: what every file in ``benchmarks/`` holds.

A file is one JSON object. All begin with :func:`head`: ``schema``, ``kind``, ``command``,
``commit``, ``versions`` and ``hardware``. Of the kind ``score`` it is one run
(:class:`gail.bench.score.Score`); of the kind ``suite`` it has the runs of ``gail bench`` under
``records``, each a score with a head of its own. Other kinds are speeds and figures of scripts.

Schema 1 had one run a file and fewer fields; it is read as schema 2 with those fields empty.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gail.errors import GailError
from generative.files import replacing_file

SCHEMA = 2


def head(
    kind: str, packages: Sequence[str] = (), words: Sequence[str] | None = None
) -> dict[str, Any]:
    """What every file begins with: where its figures come from.

    Args:
        kind: of the file.
        packages: whose versions matter beside those that always do.
        words: the command line; by default the process's own.

    >>> list(head("speed", words=["scripts/speed.py"]))
    ['schema', 'kind', 'command', 'commit', 'versions', 'hardware']
    """
    import torch

    from gail.runs import provenance

    made = provenance(torch.device("cpu"))
    versions = made["versions"] | {name: version(name) for name in packages}
    return {
        "schema": SCHEMA,
        "kind": kind,
        "command": command(sys.argv if words is None else words),
        "commit": made["commit"],
        "versions": versions,
        "hardware": made["hardware"],
    }


def command(words: Sequence[str]) -> str:
    """A command line as anyone would type it, without folders and without ``--out``.

    >>> command(["/somewhere/gail", "train", "--demonstrations", "/data/ant.npz", "--out", "x"])
    'gail train --demonstrations ant.npz'
    >>> command(["scripts/speed.py", "--threads", "2"])
    'python scripts/speed.py --threads 2'
    """
    first, rest = Path(words[0]), list(words[1:])
    script = first.suffix == ".py" and first.name != "__main__.py"  # python -m gail is gail
    program = ["python", f"scripts/{first.name}"] if script else ["gail"]
    if "--out" in rest:
        at = rest.index("--out")
        del rest[at : at + 2]
    return " ".join([*program, *(Path(w).name if w[:1] in ("/", ".") else w for w in rest)])


def write(path: Path, record: dict[str, Any]) -> None:
    """Write one file, whole or not at all, a line a field so that changes can be read."""
    with replacing_file(path) as handle:
        handle.write(_lines(record).encode())


def _lines(record: dict[str, Any], indent: str = "") -> str:
    rows = []
    for name, value in record.items():
        text = json.dumps(value)
        if name == "records":
            text = "[\n" + ",\n".join(_lines(each, indent + " ").rstrip("\n") for each in value)
            text += f"\n{indent} ]" if value else f"{indent} ]"
        rows.append(f"{indent} {json.dumps(name)}: {text}")
    return f"{indent}{{\n" + ",\n".join(rows) + f"\n{indent}}}\n"


def read(path: Path) -> dict[str, Any]:
    """Read one file of any kind.

    Raises:
        GailError: it is damaged, no such file, or of a newer schema.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GailError(f"{path} cannot be read as raw scores ({reason}).") from error
    if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
        raise GailError(
            f"{path} holds no raw scores (no field 'kind'); give a file of benchmarks/."
        )
    schema = record.get("schema", 1)
    if schema not in (1, SCHEMA):
        raise GailError(
            f"{path} is of schema {schema} and this version reads 1 and {SCHEMA}; "
            "install the version that wrote it."
        )
    return record
