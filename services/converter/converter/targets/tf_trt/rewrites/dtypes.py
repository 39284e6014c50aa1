"""Moves types that engines lack to the edges of the graph.

An engine computes in float32 and float16 and may output int32. Operations that only move values, such as a Transpose
of uint8 pixels, commute with a Cast: on the network's side of it they become part of the engine.
"""

from typing import Any, List, Optional

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph, data_inputs, producer

_FLOATS = (tf.float32, tf.float16)
_MOVES = ("Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "StridedSlice", "Slice", "Pad")


def rewrite_cast(graph: Graph, node: Any) -> Optional[str]:
    """Move a Cast before operations that move input pixels, or behind operations that move output classes."""
    source, target = (tf.dtypes.as_dtype(node.attr[end].type) for end in ("SrcT", "DstT"))
    if source not in _FLOATS and target in _FLOATS:
        return _move_up(graph, node, source, target)
    if source in (*_FLOATS, tf.int32) and target not in (*_FLOATS, tf.int32):
        return _move_down(graph, node, source, target)
    return None


def _move_up(graph: Graph, cast: Any, source: Any, target: Any) -> Optional[str]:
    path: List[Any] = []  # from the Cast towards the input
    tensor = data_inputs(cast)[0]
    while graph.nodes[producer(tensor)].op in _MOVES:
        path.append(graph.nodes[producer(tensor)])
        tensor = data_inputs(path[-1])[0]
    # An Identity at a graph's input needs no rewrite.
    if all(move.op == "Identity" for move in path):
        return None
    x = graph.add(f"{cast.name}/early", "Cast", [tensor], SrcT=source, DstT=target, Truncate=cast.attr["Truncate"].b)
    for move in reversed(path):
        x = _copy(graph, f"{cast.name}/{move.op}", move, x, target)
    graph.become(cast, x, target)
    return f"{source.name} Cast → before operations that only move values"


def _move_down(graph: Graph, cast: Any, source: Any, target: Any) -> Optional[str]:
    moves = [
        node
        for node in graph.consumers(cast.name)
        if node.op in _MOVES and node.op != "Identity" and producer(node.input[0]) == cast.name
    ]
    for move in moves:
        late = _copy(graph, f"{move.name}/early", move, data_inputs(cast)[0], source)
        graph.replace(move, "Cast", [late], SrcT=source, DstT=target, Truncate=cast.attr["Truncate"].b)
    if not moves:
        return None
    return f"{target.name} Cast → behind operations that only move values"


def _copy(graph: Graph, name: str, move: Any, x: str, dtype: Any) -> str:
    copy = graph.nodes[graph.add(name, move.op, [x, *list(move.input)[1:]])]
    for key, value in move.attr.items():
        copy.attr[key].CopyFrom(value)
    copy.attr["T"].type = dtype.as_datatype_enum
    return copy.name


def rewrite_argmax(graph: Graph, node: Any) -> Optional[str]:
    """Compute ArgMax or ArgMin in int32 instead of int64; a Cast behind it reads int32, other consumers a cast back.

    Raises:
        NotRewritable: the axis is not a constant.
    """
    wide = graph.dtype(node.name)
    if wide == tf.int32:
        return None
    operation = node.op
    tensor, axis = data_inputs(node)
    constant_axis = graph.add_constant(f"{node.name}/axis", graph.constant(axis).astype(np.int32))
    consumers = graph.consumers(node.name)
    narrow = graph.add(
        f"{node.name}/int32",
        node.op,
        [tensor, constant_axis, *graph.control_inputs(node, [tensor])],
        T=graph.dtype(tensor),
        Tidx=tf.int32,
        output_type=tf.int32,
    )
    for consumer in consumers:
        if consumer.op == "Cast":
            consumer.input[0] = narrow
            consumer.attr["SrcT"].type = tf.int32.as_datatype_enum
    graph.replace(node, "Cast", [narrow], SrcT=tf.int32, DstT=wide, Truncate=False)
    return f"{operation} to {wide.name} → int32"
