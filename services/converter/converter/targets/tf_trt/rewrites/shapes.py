"""Shapes and sizes that a graph computes while it runs though they are known before, written down."""

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph, Left, data_inputs, producer


def rewrite_shape_slice(graph: Graph, node: Any) -> Optional[str]:
    """A slice of a Shape that asks for known dimensions only, mostly height and width: constant.

    TensorFlow itself knows a Shape before the graph runs only where the batch is known too.
    """
    shape, *bounds = data_inputs(node)
    source = graph.nodes[producer(shape)]
    if source.op != "Shape" or node.attr["ellipsis_mask"].i or node.attr["new_axis_mask"].i:
        return None
    known = graph.shape(data_inputs(source)[0])
    if known is None:
        return None
    begin, end, stride = (int(graph.constant(bound)[0]) for bound in bounds)
    if node.attr["shrink_axis_mask"].i:
        sizes: Any = known[begin]
    else:
        first = None if node.attr["begin_mask"].i else begin
        sizes = known[first : None if node.attr["end_mask"].i else end : stride]
    if sizes is None or (isinstance(sizes, tuple) and None in sizes):
        return None
    value = np.array(sizes, graph.dtype(node.name).as_numpy_dtype)
    graph.replace(node, "Const", [], dtype=graph.dtype(node.name), value=value)
    return "size computed from a shape → constant"


def rewrite_reshape(graph: Graph, node: Any) -> Optional[str]:
    """Reshape to a computed shape of which all but one dimension are known: constant, with -1 for that one.

    Keras's ``Reshape`` and ``Flatten`` compute theirs from Shape, StridedSlice and Pack, at each of which TensorRT's
    engine would end.

    Raises:
        Left: more than one dimension is not known before the graph runs.
    """
    tensor, shape = data_inputs(node)
    if graph.nodes[producer(shape)].op == "Const":
        return None
    known = graph.shape(node.name)
    if known is None or known.count(None) > 1 or 0 in known:
        raise Left("more than one dimension of its shape is not known before the graph runs")
    constant = np.array([-1 if size is None else size for size in known], np.int32)
    dtype = graph.dtype(tensor)
    graph.replace(
        node, "Reshape", [tensor, graph.add_constant(f"{node.name}/constant", constant)], T=dtype, Tshape=tf.int32
    )
    return "dynamic Reshape → constant"


def rewrite_ensure_shape(graph: Graph, node: Any) -> Optional[str]:
    """EnsureShape of what is known anyway: nothing is left to ensure.

    Raises:
        Left: it says more than the graph does.
    """
    (tensor,) = data_inputs(node)
    if graph.shape(tensor) is None or graph.shape(tensor) != graph.shape(node.name):
        raise Left("it says more of a shape than the graph does")
    graph.become(node, tensor, graph.dtype(tensor))
    return "EnsureShape of a known shape → nothing"
