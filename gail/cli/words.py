"""Words of command lines: found before they are parsed, and read as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from tyro.constructors import PrimitiveConstructorSpec


def whole(word: str) -> int:
    """A whole number, written as people write large ones.

    Raises:
        ValueError: it is none.

    >>> whole("1500000"), whole("1_500_000"), whole("1.5e6")
    (1500000, 1500000, 1500000)
    """
    try:
        return int(word)
    except ValueError:
        number = float(word)
    if not number.is_integer():
        raise ValueError(f"{word} is no whole number")
    return int(number)


Count = Annotated[
    int,
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda words: whole(words[0]),
        is_instance=lambda value: isinstance(value, int),
        str_from_instance=lambda value: [str(value)],
    ),
]


def option(words: Sequence[str], name: str) -> str | None:
    """The value that a command line gives an option, before it is parsed.

    >>> option(["train", "--env", "Ant-v5"], "--env"), option(["--env=Ant-v5"], "--seed")
    ('Ant-v5', None)
    """
    value = None
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == name:
            value = following
        elif word.startswith(f"{name}="):
            value = word.removeprefix(f"{name}=")
    return value
