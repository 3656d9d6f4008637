"""What a setting may be; anything else is refused in one sentence before any work starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, get_args

from gail.errors import GailError


class Range(NamedTuple):
    """The values that a setting may have."""

    holds: Callable[[Any], bool]
    wanted: str  # completes the sentence "give ..."


def whole(least: int) -> Range:
    """Whole numbers from ``least`` on."""
    return Range(
        lambda value: isinstance(value, Integral) and int(value) >= least,
        f"a whole number, {least} or more",
    )


def numbers(holds: Callable[[float], bool], wanted: str) -> Range:
    """Finite numbers for which ``holds``."""
    return Range(
        lambda value: isinstance(value, Real) and math.isfinite(value) and holds(float(value)),
        wanted,
    )


def optional(range: Range) -> Range:
    """None, or what ``range`` allows."""
    return Range(lambda value: value is None or range.holds(value), f"{range.wanted}, or None")


def one_of(literal: Any) -> Range:
    """The words of a ``Literal`` type."""
    words = get_args(literal)
    return Range(lambda value: value in words, f"one of {', '.join(words)}")


POSITIVE = numbers(lambda value: value > 0, "a positive number")
NOT_NEGATIVE = numbers(lambda value: value >= 0, "0 or a positive number")
UNIT = numbers(lambda value: 0 <= value <= 1, "a number from 0 to 1")
POSITIVE_SHARE = numbers(lambda value: 0 < value <= 1, "a number above 0 and at most 1")
FINITE = numbers(lambda value: True, "a finite number")
WIDTHS = Range(
    lambda value: isinstance(value, tuple | list) and all(map(whole(1).holds, value)),
    "whole numbers, 1 or more, one for each hidden layer",
)


def check(settings: Any, ranges: Mapping[str, Range], group: str | None = None) -> None:
    """Refuse settings that leave their ranges.

    Args:
        settings: a dataclass.
        ranges: what each of its fields may be, by name.
        group: its place in the settings and on the command line, for example ``"ppo"``.

    Raises:
        GailError: naming the first field that is out of range, and its flag.
    """
    for name, allowed in ranges.items():
        value = getattr(settings, name)
        if not allowed.holds(value):
            full = name if group is None else f"{group}.{name}"
            flag = full.replace("_", "-")
            raise GailError(f"{full} is {value!r}; give {allowed.wanted} (--{flag}).")


def expect(name: str, value: Any, kind: type) -> None:
    """Refuse an argument of another class.

    Raises:
        GailError: naming the argument and both classes.
    """
    if not isinstance(value, kind):
        raise GailError(
            f"{name} is a {type(value).__name__}; give a {kind.__module__}.{kind.__qualname__}."
        )
