"""The tensors of a file that ``torch.save`` wrote, read without unpickling anything.

Such a file is a zip: the numbers of every tensor as plain bytes under ``data/``, and in
``data.pkl`` a pickle that says which bytes are which tensor. A pickle is a program, and opening it
runs it. Here its instructions are only looked at: those that a dictionary of tensors needs are
understood, anything else is refused.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

# Types of numbers by the names that torch gives their storages.
_TYPES = {
    "torch FloatStorage": torch.float32,
    "torch DoubleStorage": torch.float64,
    "torch HalfStorage": torch.float16,
    "torch LongStorage": torch.int64,
}
_DICTIONARY = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PLAIN = {
    *("BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"),
    *("NEWTRUE", "NEWFALSE", "NONE"),
}
_CONSTANTS = {"NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_tensors(content: bytes) -> dict[str, Tensor]:
    """Read a dictionary of tensors, such as a module's ``state_dict``.

    Args:
        content: of the file.

    Raises:
        ValueError: it is damaged, or holds anything but a dictionary of tensors.

    >>> file = io.BytesIO()
    >>> torch.save({"slope": torch.tensor([2.0, 3.0])}, file)
    >>> read_tensors(file.getvalue())
    {'slope': tensor([2., 3.])}
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        program = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
        if program is None:
            raise ValueError("it was not written by torch.save of PyTorch 1.6 or later")
        folder = program.removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            order = archive.read(f"{folder}byteorder")
            if order != b"little":
                raise ValueError(f"its numbers are in byte order {order[:10]!r}")
        found = _Reader().read(archive.read(program))
        if not isinstance(found, dict):
            raise ValueError("it holds no dictionary of tensors")
        return {str(k): _tensor(v, archive, folder) for k, v in found.items()}


class _Name(str):
    """A name in a pickle, which opening it would import."""


class _Storage(NamedTuple):
    """Numbers that lie in the file, by the name of their member."""

    dtype: torch.dtype
    member: str
    length: int


class _View(NamedTuple):
    """A tensor as a view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass
class _Reader:
    """Follows a pickle's instructions on a stack of plain values."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def read(self, program: bytes) -> Any:
        """What the program describes."""
        for instruction, argument, _ in pickletools.genops(program):
            if instruction.name == "STOP":
                return self.stack.pop()
            try:
                self._follow(instruction.name, argument)
            except (AttributeError, IndexError, KeyError, TypeError) as error:
                raise ValueError(f"its list of tensors is damaged ({error!r})") from error
        raise ValueError("its list of tensors has no end")

    def _follow(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PLAIN:
            stack.append(_CONSTANTS.get(name, argument))
        elif name in ("EMPTY_TUPLE", "EMPTY_DICT"):
            stack.append(_CONSTANTS.get(name, {}))
        elif name == "GLOBAL":
            stack.append(_Name(argument))
        elif name == "MARK":
            self.marks.append(len(stack))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name in _TUPLES:
            stack.append(tuple(self._popped(_TUPLES[name])))
        elif name == "TUPLE":
            stack.append(tuple(self._since_mark()))
        elif name in ("SETITEM", "SETITEMS"):
            pairs = self._popped(2) if name == "SETITEM" else self._since_mark()
            stack[-1].update(zip(pairs[::2], pairs[1::2], strict=True))
        elif name == "BINPERSID":
            stack.append(_storage(stack.pop()))
        elif name == "REDUCE":
            stack.append(_made(*self._popped(2)))
        elif name == "BUILD":
            stack.pop()  # a state_dict's versions, which nothing here needs
        elif name != "PROTO":
            raise ValueError(f"it holds more than tensors (the instruction {name})")

    def _popped(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        if len(taken) < count:
            raise IndexError("too few values")
        del self.stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken


def _storage(told: Any) -> _Storage:
    kind, name, member, _, length = told
    if kind != "storage" or name not in _TYPES:
        raise ValueError(f"it holds {name}, expected numbers that a policy has")
    return _Storage(_TYPES[name], str(member), int(length))


def _made(name: Any, arguments: Any) -> Any:
    """What a call in the pickle stands for; none is made."""
    if isinstance(name, _Name) and name == _DICTIONARY and arguments == ():
        return {}
    if isinstance(name, _Name) and name == _TENSOR:
        return _View(*arguments[:4])
    raise ValueError(f"it holds more than tensors (it calls {name})")


def _tensor(view: Any, archive: zipfile.ZipFile, folder: str) -> Tensor:
    if not isinstance(view, _View) or not isinstance(view.storage, _Storage):
        raise ValueError(f"it holds a {type(view).__name__} among its tensors")
    storage = view.storage
    content = bytearray(archive.read(f"{folder}data/{storage.member}"))
    if len(content) != storage.length * storage.dtype.itemsize:
        raise ValueError(f"its numbers {storage.member} are cut short")
    if prod(view.shape) > storage.length:
        raise ValueError(f"its numbers {storage.member} are fewer than its shape {view.shape}")
    if not content:
        return torch.zeros(view.shape, dtype=storage.dtype)
    numbers = torch.frombuffer(content, dtype=storage.dtype)
    return numbers.as_strided(view.shape, view.stride, view.offset).clone()
