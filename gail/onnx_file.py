"""ONNX files, written without the package ``onnx``.

PyTorch's exporters need ``onnx`` and ``onnxscript``, and change with its versions. A policy is a
short chain of operators, and an ONNX file a protocol buffer: fields of a number, a type and a
value (https://protobuf.dev/programming-guides/encoding). The field numbers below are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import torch
from torch import Tensor

IR_VERSION = 8
OPSET = 17
_FLOAT = 1  # TensorProto.FLOAT
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT = 1, 2


@dataclass
class Chain:
    """Operators one after another, on one input (N, width) of float32.

    Args:
        name: of the graph, for people who open the file.
        source: the input's name.
        width: the input's columns; its rows are free.

    >>> chain = Chain("double", "x", 2)
    >>> chain.add("Mul", torch.tensor([2.0]))
    >>> list(chain.content("y", 2, {"by": "me"})[:2])
    [8, 8]
    """

    name: str
    source: str
    width: int
    steps: list[tuple[str, tuple[Tensor, ...], dict[str, float]]] = field(default_factory=list)

    def add(self, operator: str, *constants: Tensor, **attributes: float) -> None:
        """Apply an operator to what the last one gave, or to the input.

        Args:
            operator: its name in ONNX.
            constants: its further inputs, float32.
            attributes: by name; a float or an int.
        """
        self.steps.append((operator, constants, attributes))

    def content(self, output: str, width: int, about: dict[str, str]) -> bytes:
        """The whole file.

        Args:
            output: the output's name.
            width: its columns.
            about: metadata, which runtimes show.
        """
        values = [self.source, *(f"step{i}" for i in range(1, len(self.steps))), output]
        nodes, constants = b"", b""
        for i, (operator, tensors, attributes) in enumerate(self.steps):
            named = {f"{operator.lower()}{i}_{k}": tensor for k, tensor in enumerate(tensors)}
            node = b"".join(_text(1, name) for name in (values[i], *named))
            node += _text(2, values[i + 1]) + _text(4, operator)
            node += b"".join(_bytes(5, _attribute(*pair)) for pair in attributes.items())
            nodes += _bytes(1, node)
            constants += b"".join(_bytes(5, _tensor(*pair)) for pair in named.items())
        graph = nodes + _text(2, self.name) + constants
        graph += _bytes(11, _value(self.source, self.width)) + _bytes(12, _value(output, width))
        pairs = (_text(1, key) + _text(2, value) for key, value in about.items())
        return (
            _int(1, IR_VERSION)
            + _text(2, "generative-imitation")
            + _bytes(7, graph)
            + _bytes(8, _text(1, "") + _int(2, OPSET))
            + b"".join(_bytes(14, pair) for pair in pairs)
        )


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first.

    >>> list(_varint(300))
    [172, 2]
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _int(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _attribute(name: str, value: float) -> bytes:
    """An AttributeProto."""
    if isinstance(value, int):
        return _text(1, name) + _int(3, value) + _int(20, _ATTRIBUTE_INT)
    number = _varint(2 << 3 | 5) + struct.pack("<f", value)
    return _text(1, name) + number + _int(20, _ATTRIBUTE_FLOAT)


def _tensor(name: str, value: Tensor) -> bytes:
    """A TensorProto of float32."""
    dimensions = b"".join(_int(1, size) for size in value.shape)
    numbers = value.detach().cpu().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()
    return dimensions + _int(2, _FLOAT) + _text(8, name) + _bytes(9, numbers)


def _value(name: str, width: int) -> bytes:
    """A ValueInfoProto of shape (N, width)."""
    shape = _bytes(1, _text(2, "N")) + _bytes(1, _int(1, width))
    kind = _bytes(1, _int(1, _FLOAT) + _bytes(2, shape))
    return _text(1, name) + _bytes(2, kind)
