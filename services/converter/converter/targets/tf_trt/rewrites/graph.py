"""A frozen GraphDef under the knife: asked for shapes and constants, and edited by name.

A node that is replaced keeps its name, so whatever reads it, the signature included, needs no change.
"""

from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

Shape = Tuple[Optional[int], ...]

# Larger constants are weights: no size, axis or permutation is that long.
_WEIGHTS_BYTES = 4096

# Operations that do nothing: a control input on them carries nothing.
_IDLE = ("Const", "NoOp")


class Left(Exception):  # noqa: N818  (nothing went wrong)
    """Why a rewrite leaves a node as it is, in words for the report."""


class Graph:
    """A copy of ``graph_def``; shapes, dtypes and constants are TensorFlow's own inference over it.

    That takes a second for a large network, so it is done once and again after :meth:`prune`: nodes added since are not
    known to it, and of replaced ones it says what they were, which is what they must be.
    """

    def __init__(self, graph_def: Any) -> None:
        self.definition = GraphDef()
        self.definition.CopyFrom(graph_def)
        self._inferred: Any = None
        for node in self.definition.node:
            # Nothing keeps the exporter's shapes true; and a node that is pruned is no place to be put beside.
            for written in ("_output_shapes", "_class"):
                node.attr.pop(written, None)
        self.nodes: Dict[str, Any] = {node.name: node for node in self.definition.node}

    def of(self, *operations: str) -> List[Any]:
        """The nodes of these operations, as they are now: those added meanwhile are not among them."""
        return [node for node in self.definition.node if node.op in operations]

    def shape(self, tensor: str) -> Optional[Shape]:
        """The static shape, None where a dimension is not known, or None when not even the rank is."""
        shape = self._tensor(tensor).shape
        return None if shape.rank is None else tuple(shape.as_list())

    def image(self, tensor: str) -> Tuple[int, int, int]:
        """Height, width and channels of a tensor [N,H,W,C].

        Raises:
            Left: it is none, or they are not known before the graph runs.
        """
        shape = self.shape(tensor)
        if shape is None or len(shape) != 4:
            raise Left("it is not known to take images [N,H,W,C]")
        _, height, width, channels = shape
        if height is None or width is None or channels is None:
            raise Left("its size is not known before the graph runs")
        return height, width, channels

    def dtype(self, tensor: str) -> Any:
        """The ``tf.DType``."""
        return self._tensor(tensor).dtype

    def constant(self, tensor: str) -> np.ndarray:
        """The value, where TensorFlow can tell it without running.

        Raises:
            Left: it cannot.
        """
        value = tf.get_static_value(self._tensor(tensor))
        if value is None:
            raise Left(f"{producer(tensor)}, which it reads, is not constant")
        return np.asarray(value)

    def consumers(self, name: str) -> List[Any]:
        """The nodes that read the node's first output."""
        spellings = {name, name + ":0"}
        return [node for node in self.definition.node if spellings.intersection(node.input)]

    def add(self, name: str, op: str, inputs: Iterable[str], **attributes: Any) -> str:
        """A new node, called ``name`` or, where that is taken, ``name_1`` and so on; returns what it is called."""
        unique, number = name, 0
        while unique in self.nodes:
            number += 1
            unique = f"{name}_{number}"
        node = self.definition.node.add(name=unique, op=op, input=inputs)
        self.nodes[unique] = node
        _set(node, attributes)
        return unique

    def add_constant(self, name: str, value: Any) -> str:
        """A new Const of ``value``'s dtype."""
        array = np.asarray(value)
        return self.add(name, "Const", [], dtype=tf.dtypes.as_dtype(array.dtype), value=array)

    def waits(self, node: Any, inputs: Sequence[str]) -> List[str]:
        """The control inputs, ``^name``, of what does the node's work with these inputs instead of its own."""
        # What a dropped constant waited for (an Assert, say), the node waited for.
        dropped = [self.nodes[producer(tensor)] for tensor in set(data_inputs(node)) - set(inputs)]
        return sorted({name for waiting in (node, *dropped) for name in waiting.input if name.startswith("^")})

    def replace(self, node: Any, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Make the node another operation with the same name, waiting for what it waited for."""
        waits = self.waits(node, inputs)
        name = node.name
        node.Clear()
        node.name, node.op = name, op
        node.input.extend([*inputs, *waits])
        _set(node, attributes)

    def become(self, node: Any, tensor: str, dtype: Any) -> None:
        """Let the node pass ``tensor`` on."""
        self.replace(node, "Identity", [tensor], T=dtype)

    def prune(self, keep: Iterable[str]) -> None:
        """Leave what the nodes in ``keep`` need, and no control inputs that carry nothing."""
        idle: Dict[str, bool] = {}
        for node in self.definition.node:
            inputs = [name for name in node.input if not (name.startswith("^") and self._idles(name[1:], idle))]
            del node.input[:]
            node.input.extend(inputs)
        needed, waiting = set(), list(keep)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting.extend(producer(name) for name in self.nodes[name].input)
        nodes = [node for node in self.definition.node if node.name in needed]
        pruned = GraphDef(node=nodes, library=self.definition.library, versions=self.definition.versions)
        self.definition = pruned
        self.nodes = {node.name: node for node in pruned.node}
        self._inferred = None

    def _idles(self, name: str, known: Dict[str, bool]) -> bool:
        if name not in known:
            node = self.nodes[name]
            known[name] = node.op in _IDLE and all(self._idles(producer(waited), known) for waited in node.input)
        return known[name]

    def _tensor(self, name: str) -> Any:
        if self._inferred is None:
            with tf.Graph().as_default() as self._inferred:
                tf.graph_util.import_graph_def(_without_weights(self.definition), name="")
        return self._inferred.get_tensor_by_name(name if ":" in name else name + ":0")


def producer(tensor: str) -> str:
    """The name of the node that an input comes from or waits for."""
    return tensor.lstrip("^").split(":")[0]


def data_inputs(node: Any) -> List[str]:
    """The node's inputs without those it only waits for."""
    return [name for name in node.input if not name.startswith("^")]


def _without_weights(definition: Any) -> Any:
    """The same graph as far as shapes go, without hundreds of megabytes that nobody asks for the value of."""
    light = GraphDef(library=definition.library, versions=definition.versions)
    for node in definition.node:
        value = node.attr["value"].tensor if node.op == "Const" else None
        if value is None or value.ByteSize() < _WEIGHTS_BYTES:
            light.node.add().CopyFrom(node)
            continue
        stand_in = light.node.add(name=node.name, op="Placeholder", input=node.input)
        stand_in.attr["dtype"].type = value.dtype
        stand_in.attr["shape"].shape.CopyFrom(value.tensor_shape)
    return light


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
