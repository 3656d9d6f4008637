"""How scripts print and round their figures."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def tell(epoch: int, metrics: dict[str, float]) -> None:
    print(f"epoch {epoch}: " + ", ".join(f"{k} {v:.1f}" for k, v in metrics.items()), flush=True)


def tell_of(**figures: Any) -> dict[str, Any]:
    """The figures, printed."""
    for name, value in figures.items():
        print(f"{name.replace('_', ' ')}: {value}", flush=True)
    return figures


def mean(values: Tensor) -> float:
    return round(float(values.double().mean()), 4)


def rounded(values: Tensor) -> list[float]:
    return [round(float(value), 4) for value in values]
