"""Reads the ONNX files of policies with Google's protobuf, and computes them with NumPy.

The messages and field numbers are typed from onnx.proto, apart from the code that writes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_F = descriptor_pb2.FieldDescriptorProto
INT64, INT32, FLOAT, TEXT, BYTES = (
    _F.TYPE_INT64,
    _F.TYPE_INT32,
    _F.TYPE_FLOAT,
    _F.TYPE_STRING,
    _F.TYPE_BYTES,
)
# message -> field -> (number, type or message, repeated)
MESSAGES: dict[str, dict[str, tuple[int, Any, bool]]] = {
    "Attribute": {"name": (1, TEXT, False), "f": (2, FLOAT, False), "i": (3, INT64, False)}
    | {"type": (20, INT32, False)},
    "Node": {"input": (1, TEXT, True), "output": (2, TEXT, True), "op_type": (4, TEXT, False)}
    | {"attribute": (5, "Attribute", True)},
    "Tensor": {"dims": (1, INT64, True), "data_type": (2, INT32, False), "name": (8, TEXT, False)}
    | {"raw_data": (9, BYTES, False)},
    "Dimension": {"dim_value": (1, INT64, False), "dim_param": (2, TEXT, False)},
    "Shape": {"dim": (1, "Dimension", True)},
    "TensorType": {"elem_type": (1, INT32, False), "shape": (2, "Shape", False)},
    "Type": {"tensor_type": (1, "TensorType", False)},
    "Value": {"name": (1, TEXT, False), "type": (2, "Type", False)},
    "Graph": {"node": (1, "Node", True), "name": (2, TEXT, False)}
    | {"initializer": (5, "Tensor", True), "input": (11, "Value", True)}
    | {"output": (12, "Value", True)},
    "Opset": {"domain": (1, TEXT, False), "version": (2, INT64, False)},
    "Entry": {"key": (1, TEXT, False), "value": (2, TEXT, False)},
    "Model": {"ir_version": (1, INT64, False), "producer_name": (2, TEXT, False)}
    | {"graph": (7, "Graph", False), "opset_import": (8, "Opset", True)}
    | {"metadata_props": (14, "Entry", True)},
}


def read(content: bytes) -> Any:
    """The ModelProto in a file."""
    file = descriptor_pb2.FileDescriptorProto(name="onnx_part.proto", package="part")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            label = _F.LABEL_REPEATED if repeated else _F.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = _F.TYPE_MESSAGE, f".part.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    model = message_factory.GetMessageClass(pool.FindMessageTypeByName("part.Model"))()
    model.ParseFromString(content)
    return model


OPERATORS: dict[str, Any] = {
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Add": np.add,
    "Max": np.maximum,
    "Min": np.minimum,
    "Clip": np.clip,
    "Gemm": lambda x, weight, bias: x @ weight.T + bias,
    "Relu": lambda x: np.maximum(x, 0),
    "Tanh": np.tanh,
    "Elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}


def compute(model: Any, source: np.ndarray) -> np.ndarray:
    """The graph's output for one input."""
    graph = model.graph
    known = {graph.input[0].name: source}
    for tensor in graph.initializer:
        assert tensor.data_type == 1
        known[tensor.name] = np.frombuffer(tensor.raw_data, "<f4").reshape(tensor.dims)
    for node in graph.node:
        assert [(a.name, a.i) for a in node.attribute] == [("transB", 1)] * (node.op_type == "Gemm")
        known[node.output[0]] = OPERATORS[node.op_type](*(known[name] for name in node.input))
    return np.asarray(known[graph.output[0].name])
