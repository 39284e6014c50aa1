"""Convolutions that say how much they pad on each side: TF-TRT takes SAME and VALID alone."""

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph, data_inputs


def rewrite_explicit_padding(graph: Graph, node: Any) -> Optional[str]:
    """Conv2D or DepthwiseConv2dNative with ``explicit_paddings``: a Pad, and the convolution VALID.

    Networks that come from PyTorch have them, as SAME is another padding at stride 2.
    """
    if node.attr["padding"].s != b"EXPLICIT":
        return None
    x = data_inputs(node)[0]
    sides = node.attr["explicit_paddings"].list.i
    paddings = graph.add_constant(f"{node.name}/paddings", np.array(sides, np.int32).reshape(4, 2))
    dtype = graph.dtype(x)
    node.input[0] = graph.add(f"{node.name}/padded", "Pad", [x, paddings], T=dtype, Tpaddings=tf.int32)
    node.attr["padding"].s = b"VALID"
    del sides[:]
    return f"{node.op} with explicit padding → Pad, and without"
