"""Transforms one after another, and their description as JSON."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from generative.binarise import DynamicBinarise
from generative.pixels import Binarise, Dequantise, Logit, Rescale
from generative.preprocessing import DropConstant, Standardise, Whiten
from generative.quantise import Quantise
from generative.transform import Transform


class Chain(Transform):
    """Several transforms, the first one next to the data.

    >>> x = torch.tensor([[0.0, 3.0], [4.0, 3.0]])
    >>> chain = Chain(DropConstant(), Standardise()).fit(x)
    >>> y, _ = chain(x)
    >>> y.tolist()
    [[-1.0], [1.0]]
    """

    def __init__(self, *steps: Transform) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)
        self.elementwise = all(step.elementwise for step in steps)

    def settings(self) -> dict[str, Any]:
        """The steps, as JSON."""
        return {"steps": [describe(step) for step in self._each()]}

    def fit(self, x: Tensor, mask: Tensor | None = None) -> Self:
        """Fit each step to what the steps before it give."""
        for step in self._each():
            step.fit(x, mask)
            x, _ = step(x)
            mask = None if mask is None else step.kept(mask)
        return self

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """All steps; the log-determinants add up."""
        total = x.new_zeros(len(x))
        for step in self._each():
            x, log_det = step(x, generator)
            total = total + log_det
        return x, total

    def inverse(self, y: Tensor) -> Tensor:
        """All steps backwards."""
        for step in reversed(self._each()):
            y = step.inverse(y)
        return y

    def kept(self, mask: Tensor) -> Tensor:
        """What a mask is after all steps."""
        for step in self._each():
            mask = step.kept(mask)
        return mask

    def restrict(self, keep: Tensor) -> Self:
        """All steps for some dimensions."""
        parts = []
        for step in self._each():
            parts.append(step.restrict(keep))
            keep = step.kept(keep)
        return type(self)(*parts)

    def _each(self) -> list[Transform]:
        return [step for step in self.steps if isinstance(step, Transform)]


def describe(transform: Transform) -> dict[str, Any]:
    """Kind and settings of a transform, as JSON.

    >>> describe(Chain(DropConstant(), Logit(0.1)))["settings"]["steps"][1]
    {'kind': 'Logit', 'settings': {'margin': 0.1}}
    """
    return {"kind": type(transform).__name__, "settings": transform.settings()}


def from_description(description: dict[str, Any]) -> Transform:
    """An unfitted transform from what :func:`describe` returned.

    Raises:
        ValueError: if the kind is unknown.
    """
    kind, settings = description["kind"], description["settings"]
    if kind == "Chain":
        return Chain(*(from_description(step) for step in settings["steps"]))
    linear = (Transform, Standardise, DropConstant, Whiten)
    pixels = (Dequantise, Logit, Rescale, Binarise, DynamicBinarise, Quantise)
    kinds: dict[str, type[Transform]] = {each.__name__: each for each in linear + pixels}
    if kind not in kinds:
        raise ValueError(
            f"The preprocessing {kind!r} is unknown; expected Chain, {', '.join(kinds)}."
        )
    return kinds[kind](**settings)
