"""Counts how often a computation would go from the device to the host, on any machine.

On a processor nothing has to be copied, so what would wait for a GPU is counted by name: methods
that give Python a tensor's values, and operations whose result's shape depends on them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

METHODS = ("tolist", "item", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__")
WAITING = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::masked_select",
    "aten::equal",
    "aten::_unique2",
}


class Crossings(TorchDispatchMode):
    """Within it, ``found`` counts what would wait for a device, by name.

    Args:
        monkeypatch: takes the counting methods back.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self._inside = False
        for name in METHODS:
            monkeypatch.setattr(torch.Tensor, name, self._counting(name))

    def _counting(self, name: str) -> Any:
        original = getattr(torch.Tensor, name)

        def method(tensor: torch.Tensor, *rest: Any) -> Any:
            outermost, self._inside = not self._inside, True
            if outermost:
                self.found[name] += 1
            try:
                return original(tensor, *rest)
            finally:
                self._inside = not outermost

        return method

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        mask = name.startswith("aten::index") and any(
            isinstance(x, torch.Tensor) and x.dtype is torch.bool
            for x in (args[1] if isinstance(args[1], list | tuple) else [])
        )
        if not self._inside and (name in WAITING or mask):
            self.found[name] += 1
        return func(*args, **(kwargs or {}))
