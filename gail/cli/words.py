"""Command lines before they are parsed."""

from __future__ import annotations

from collections.abc import Sequence


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
