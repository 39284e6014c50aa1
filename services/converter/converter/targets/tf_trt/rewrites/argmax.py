"""ArgMax and ArgMin to int32, the only integers of an engine."""

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph, data_inputs


def rewrite_argmax(graph: Graph, node: Any) -> Optional[str]:
    """int64 becomes int32; whoever casts the result casts that, and whoever else reads it gets what it got before.

    Raises:
        Left: the axis is not a constant.
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
        [tensor, constant_axis, *graph.waits(node, [tensor])],
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
