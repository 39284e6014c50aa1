"""Casts from and to types that no engine has, moved to the edges.

An engine computes in float32 and float16 and may end in int32. What only moves values, such as a Transpose of uint8
pixels, is the same before and behind a Cast; behind it in front of a network, and before it behind one, it belongs to
the engine.
"""

from typing import Any, List, Optional

import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph, data_inputs, producer

_FLOATS = (tf.float32, tf.float16)
_MOVES = ("Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "StridedSlice", "Slice", "Pad")


def rewrite_cast(graph: Graph, node: Any) -> Optional[str]:
    """A Cast at the inputs moves up past what moves pixels, at the outputs down past what moves classes."""
    source, target = (tf.dtypes.as_dtype(node.attr[end].type) for end in ("SrcT", "DstT"))
    if source not in _FLOATS and target in _FLOATS:
        return _up(graph, node, source, target)
    if source in (*_FLOATS, tf.int32) and target not in (*_FLOATS, tf.int32):
        return _down(graph, node, source, target)
    return None


def _up(graph: Graph, cast: Any, source: Any, target: Any) -> Optional[str]:
    path: List[Any] = []  # from the Cast up
    tensor = data_inputs(cast)[0]
    while graph.nodes[producer(tensor)].op in _MOVES:
        path.append(graph.nodes[producer(tensor)])
        tensor = data_inputs(path[-1])[0]
    # An Identity that stands at a graph's input is no reason to touch anything.
    if all(move.op == "Identity" for move in path):
        return None
    x = graph.add(f"{cast.name}/early", "Cast", [tensor], SrcT=source, DstT=target, Truncate=cast.attr["Truncate"].b)
    for move in reversed(path):
        x = _again(graph, f"{cast.name}/{move.op}", move, x, target)
    graph.become(cast, x, target)
    return f"{source.name} Cast → before what only moves its values"


def _down(graph: Graph, cast: Any, source: Any, target: Any) -> Optional[str]:
    moves = [
        node
        for node in graph.consumers(cast.name)
        if node.op in _MOVES and node.op != "Identity" and producer(node.input[0]) == cast.name
    ]
    for move in moves:
        late = _again(graph, f"{move.name}/early", move, data_inputs(cast)[0], source)
        graph.replace(move, "Cast", [late], SrcT=source, DstT=target, Truncate=cast.attr["Truncate"].b)
    if not moves:
        return None
    return f"{target.name} Cast → behind what only moves its values"


def _again(graph: Graph, name: str, move: Any, x: str, dtype: Any) -> str:
    copy = graph.nodes[graph.add(name, move.op, [x, *list(move.input)[1:]])]
    for key, value in move.attr.items():
        copy.attr[key].CopyFrom(value)
    copy.attr["T"].type = dtype.as_datatype_enum
    return copy.name
