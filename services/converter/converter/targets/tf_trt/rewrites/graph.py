"""A frozen GraphDef that can be edited by name and queried for shapes and constants.

A replaced node keeps its name, so its consumers, the signature included, need no change.
"""

from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

Shape = Tuple[Optional[int], ...]

# Larger constants are weights: no size, axis or permutation is this long.
_WEIGHTS_BYTES = 4096

# Operations that do nothing: control inputs from them can be dropped.
_IDLE = ("Const", "NoOp")


class NotRewritable(Exception):  # noqa: N818  (not an error)
    """A node cannot be rewritten; the message is the reason given in the report."""


class Graph:
    """A copy of ``graph_def``; shapes, dtypes and constants come from TensorFlow's inference.

    Inference takes a second for a large network, so it runs once, and again after :meth:`prune`. It does not know nodes
    added since; for replaced ones it gives the old node's shape and dtype, which the new one must have as well.
    """

    def __init__(self, graph_def: Any) -> None:
        self.definition = GraphDef()
        self.definition.CopyFrom(graph_def)
        self._inferred: Any = None
        for node in self.definition.node:
            # The exporter's shapes may become wrong, and a colocated node may be pruned.
            for attribute in ("_output_shapes", "_class"):
                node.attr.pop(attribute, None)
        self.nodes: Dict[str, Any] = {node.name: node for node in self.definition.node}

    def of(self, *operations: str) -> List[Any]:
        """The nodes with these operations at the time of the call."""
        return [node for node in self.definition.node if node.op in operations]

    def shape(self, tensor: str) -> Optional[Shape]:
        """The static shape, with None for unknown dimensions, or None if the rank is unknown."""
        shape = self._tensor(tensor).shape
        return None if shape.rank is None else tuple(shape.as_list())

    def image(self, tensor: str) -> Tuple[int, int, int]:
        """Height, width and channels of a tensor [N,H,W,C].

        Raises:
            NotRewritable: the rank is not 4, or one of them is not static.
        """
        shape = self.shape(tensor)
        if shape is None or len(shape) != 4:
            raise NotRewritable("its input is not known to be images [N,H,W,C]")
        _, height, width, channels = shape
        if height is None or width is None or channels is None:
            raise NotRewritable("its size is not static")
        return height, width, channels

    def dtype(self, tensor: str) -> Any:
        """The ``tf.DType``."""
        return self._tensor(tensor).dtype

    def constant(self, tensor: str) -> np.ndarray:
        """The tensor's value, if TensorFlow can compute it statically.

        Raises:
            NotRewritable: it is not constant.
        """
        value = tf.get_static_value(self._tensor(tensor))
        if value is None:
            raise NotRewritable(f"its input {producer(tensor)} is not constant")
        return np.asarray(value)

    def consumers(self, name: str) -> List[Any]:
        """The nodes that read this node's first output."""
        spellings = {name, name + ":0"}
        return [node for node in self.definition.node if spellings.intersection(node.input)]

    def add(self, name: str, op: str, inputs: Iterable[str], **attributes: Any) -> str:
        """Add a node called ``name`` or, if that exists, ``name_1`` and so on; returns its name."""
        unique, number = name, 0
        while unique in self.nodes:
            number += 1
            unique = f"{name}_{number}"
        node = self.definition.node.add(name=unique, op=op, input=inputs)
        self.nodes[unique] = node
        _set(node, attributes)
        return unique

    def add_constant(self, name: str, value: Any) -> str:
        """Add a Const of ``value``'s dtype; returns its name."""
        array = np.asarray(value)
        return self.add(name, "Const", [], dtype=tf.dtypes.as_dtype(array.dtype), value=array)

    def control_inputs(self, node: Any, inputs: Sequence[str]) -> List[str]:
        """The control inputs, ``^name``, that a replacement of the node with these inputs needs."""
        # The node also depends on the control inputs of its dropped inputs, such as an Assert.
        dropped = [self.nodes[producer(tensor)] for tensor in set(data_inputs(node)) - set(inputs)]
        return sorted({name for each in (node, *dropped) for name in each.input if name.startswith("^")})

    def replace(self, node: Any, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Replace the node by another operation with the same name and control inputs."""
        control_inputs = self.control_inputs(node, inputs)
        name = node.name
        node.Clear()
        node.name, node.op = name, op
        node.input.extend([*inputs, *control_inputs])
        _set(node, attributes)

    def become(self, node: Any, tensor: str, dtype: Any) -> None:
        """Replace the node by an Identity of ``tensor``."""
        self.replace(node, "Identity", [tensor], T=dtype)

    def prune(self, keep: Iterable[str]) -> None:
        """Drop nodes that none in ``keep`` needs, and control inputs from nodes that do nothing."""
        idle: Dict[str, bool] = {}
        for node in self.definition.node:
            inputs = [name for name in node.input if not (name.startswith("^") and self._is_idle(name[1:], idle))]
            del node.input[:]
            node.input.extend(inputs)
        needed, pending = set(), list(keep)
        while pending:
            name = pending.pop()
            if name not in needed:
                needed.add(name)
                pending.extend(producer(name) for name in self.nodes[name].input)
        nodes = [node for node in self.definition.node if node.name in needed]
        pruned = GraphDef(node=nodes, library=self.definition.library, versions=self.definition.versions)
        self.definition = pruned
        self.nodes = {node.name: node for node in pruned.node}
        self._inferred = None

    def _is_idle(self, name: str, known: Dict[str, bool]) -> bool:
        if name not in known:
            node = self.nodes[name]
            known[name] = node.op in _IDLE and all(self._is_idle(producer(each), known) for each in node.input)
        return known[name]

    def _tensor(self, name: str) -> Any:
        if self._inferred is None:
            with tf.Graph().as_default() as self._inferred:
                tf.graph_util.import_graph_def(_without_weights(self.definition), name="")
        return self._inferred.get_tensor_by_name(name if ":" in name else name + ":0")


def producer(tensor: str) -> str:
    """The name of the node that an input, data or control, comes from."""
    return tensor.lstrip("^").split(":")[0]


def data_inputs(node: Any) -> List[str]:
    """The node's inputs without control inputs."""
    return [name for name in node.input if not name.startswith("^")]


def _without_weights(definition: Any) -> Any:
    """A graph with the same shapes, but placeholders for weights, which may be hundreds of megabytes."""
    shapes = GraphDef(library=definition.library, versions=definition.versions)
    for node in definition.node:
        value = node.attr["value"].tensor if node.op == "Const" else None
        if value is None or value.ByteSize() < _WEIGHTS_BYTES:
            shapes.node.add().CopyFrom(node)
            continue
        placeholder = shapes.node.add(name=node.name, op="Placeholder", input=node.input)
        placeholder.attr["dtype"].type = value.dtype
        placeholder.attr["shape"].shape.CopyFrom(value.tensor_shape)
    return shapes


def _set(node: Any, attributes: Dict[str, Any]) -> None:
    for name, value in attributes.items():
        attribute = node.attr[name]
        if isinstance(value, tf.DType):
            attribute.type = value.as_datatype_enum
        elif isinstance(value, bool):
            attribute.b = value
        elif isinstance(value, int):
            attribute.i = value
        elif isinstance(value, str):
            attribute.s = value.encode()
        elif isinstance(value, np.ndarray):
            attribute.tensor.CopyFrom(tf.make_tensor_proto(value))
        else:
            attribute.list.i.extend(value)
