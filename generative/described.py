"""Descriptions of parts (frozen dataclasses of plain values) as JSON, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def describe_part(part: DataclassInstance) -> dict[str, Any]:
    """Kind and fields of a part, as JSON.

    >>> from generative.likelihoods import Gaussian
    >>> describe_part(Gaussian(0.5))
    {'kind': 'Gaussian', 'settings': {'variance': 0.5, 'least': 0.0001}}
    """
    return {"kind": type(part).__name__, "settings": asdict(part)}


def part_from(description: dict[str, Any], kinds: Sequence[type[T]]) -> T:
    """The part that :func:`describe_part` described, one of the kinds that may be named.

    Raises:
        ValueError: if it is none of them.

    >>> from generative.likelihoods import Bernoulli, Gaussian
    >>> part_from({"kind": "Gaussian", "settings": {"variance": 0.5}}, (Bernoulli, Gaussian))
    Gaussian(variance=0.5, least=0.0001)
    """
    for kind in kinds:
        if kind.__name__ == description["kind"]:
            return kind(**description["settings"])
    expected = ", ".join(kind.__name__ for kind in kinds)
    raise ValueError(f"The part {description['kind']!r} is unknown; expected {expected}.")
