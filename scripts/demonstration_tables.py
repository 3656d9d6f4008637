"""How the pages of results name the demonstrations that a record was made of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from gail import Demonstrations
from gail.errors import DemonstrationError
from gail.shipped import data_file

Record = dict[str, Any]
# Files that are named like one in expert_data/ and are not it, by the head of their hash.
OTHERS = {
    "dc3aed71": "25 episodes of the Ant expert published with the GAIL paper (openai/imitation, "
    "MIT licence), replayed",
}


def named(demonstrations: Record) -> str:
    """A file's name and the head of its content hash.

    >>> named({"name": "ant-v5.npz", "hash": "dc3aed71cc4a"})
    'ant-v5.npz (dc3aed71)'
    """
    return f"{demonstrations['name']} ({demonstrations['hash'][:8]})"


def not_shipped(records: Iterable[Record]) -> str:
    """A sentence for each file that has the name of a shipped one and another content.

    >>> shipped = {"name": "toy-pointmass-v0.npz", "hash": "cc30655c106f"}
    >>> not_shipped([{"environment": "toy/PointMass-v0", "demonstrations": shipped}])
    ''
    >>> other = {"name": "toy-pointmass-v0.npz", "hash": "0" * 12}
    >>> not_shipped([{"environment": "toy/PointMass-v0", "demonstrations": other}])[:56]
    'toy-pointmass-v0.npz (00000000) is not the file of that '
    """
    found: dict[str, str] = {}
    for record in records:
        environment = record.get("environment") or record.get("env")
        given = record.get("demonstrations") or []
        for each in given if isinstance(given, list) else [given]:
            known = shipped(str(environment))
            if known is None or each["name"] != known["name"] or named(each) == named(known):
                continue
            what = OTHERS.get(each["hash"][:8], "another expert's")
            found[named(each)] = (
                f"{named(each)} is not the file of that name in expert_data/ "
                f"({known['hash'][:8]}) but {what}; it is not shipped."
            )
    return "\n".join(found.values())


@cache
def shipped(environment: str) -> Record | None:
    """Name and hash of the demonstrations that ship of a task; None where none do."""
    try:
        name = data_file(environment).name
    except DemonstrationError:
        return None
    return {"name": name, "hash": Demonstrations.shipped(environment).hash}
