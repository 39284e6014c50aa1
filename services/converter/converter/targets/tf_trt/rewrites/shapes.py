"""Replaces shapes and sizes that a graph computes at run time, although they are static, by constants."""

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph, NotRewritable, data_inputs, producer


def rewrite_shape_slice(graph: Graph, node: Any) -> Optional[str]:
    """Replace a slice of a Shape that reads only static dimensions, mostly height and width, by a constant.

    TensorFlow itself folds a Shape only if the batch size is static too.
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
    """Replace a computed shape with at most one unknown dimension by a constant with -1 for that one.

    Keras's ``Reshape`` and ``Flatten`` compute it with Shape, StridedSlice and Pack, and each ends the engine.

    Raises:
        NotRewritable: more than one dimension is not static.
    """
    tensor, shape = data_inputs(node)
    if graph.nodes[producer(shape)].op == "Const":
        return None
    known = graph.shape(node.name)
    if known is None or known.count(None) > 1 or 0 in known:
        raise NotRewritable("more than one dimension of its shape is not static")
    constant = np.array([-1 if size is None else size for size in known], np.int32)
    dtype = graph.dtype(tensor)
    graph.replace(
        node, "Reshape", [tensor, graph.add_constant(f"{node.name}/constant", constant)], T=dtype, Tshape=tf.int32
    )
    return "dynamic Reshape → constant"


def rewrite_ensure_shape(graph: Graph, node: Any) -> Optional[str]:
    """Remove an EnsureShape of a shape that is static anyway.

    Raises:
        NotRewritable: the static shape is less specific.
    """
    (tensor,) = data_inputs(node)
    if graph.shape(tensor) is None or graph.shape(tensor) != graph.shape(node.name):
        raise NotRewritable("the shape it ensures is more specific than the static one")
    graph.become(node, tensor, graph.dtype(tensor))
    return "EnsureShape of a known shape → nothing"
