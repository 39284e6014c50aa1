"""Dilated depthwise convolutions, which TensorFlow spells SpaceToBatchND, DepthwiseConv2dNative, BatchToSpaceND.

SpaceToBatchND deals out the pixels to d x d small images, the phases, in the batch; there the convolution is a plain
one. TensorRT's batch is not ours to change, so here the phases lie side by side in one image, with rows and columns of
zeros between them, which is what the convolution must see at their borders. Sorting rows and columns so, and back, are
products with constant matrices of zeros and ones; padding and cropping are in them, because TF-TRT takes no slice of
images whose number it does not know.

``dilations`` of DepthwiseConv2dNative would be simpler, and TensorFlow 2.6.2 ignores them without a word.
"""

from typing import Any, Optional, Tuple

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites import matrices
from converter.targets.tf_trt.rewrites.graph import Graph, Left, data_inputs, producer

_NOT_A_DILATION = "it belongs to no dilated depthwise convolution, of float32, odd kernel and known size"


def rewrite_dilated_depthwise(graph: Graph, node: Any) -> Optional[str]:
    """``node`` is the BatchToSpaceND of such a convolution.

    Raises:
        Left: what comes before it is anything else.
    """
    convolution = graph.nodes[producer(data_inputs(node)[0])]
    spread = graph.nodes[producer(data_inputs(convolution)[0])] if _is_plain_depthwise(convolution) else None
    if spread is None or spread.op != "SpaceToBatchND":
        raise Left(_NOT_A_DILATION)
    x, block, paddings = data_inputs(spread)
    before, after = graph.image(x), graph.image(node.name)
    dilations = graph.constant(block)
    offsets = graph.constant(paddings)[:, 0] - graph.constant(data_inputs(node)[2])[:, 0]
    kernel = data_inputs(convolution)[1]
    sides = (graph.shape(kernel) or (None, None))[:2]
    if len(dilations) != 2 or graph.dtype(x) != tf.float32 or any(not side or side % 2 == 0 for side in sides):
        raise Left(_NOT_A_DILATION)

    apart = []
    for axis, what, side in zip((1, 2), ("rows", "columns"), sides):
        d, half = int(dilations[axis - 1]), int(side or 1) // 2
        # Which source row the kernel's middle meets for the first output row.
        middle = half * d - int(offsets[axis - 1])
        apart.append((axis, what, *phases(before[axis - 1], after[axis - 1], d, half, middle)))
    for axis, what, sort, _ in apart:
        x = matrices.multiply(graph, f"{node.name}/{what}_apart", x, axis, sort)
    x = graph.add(
        f"{node.name}/convolved",
        "DepthwiseConv2dNative",
        [x, kernel],
        T=tf.float32,
        strides=[1, 1, 1, 1],
        dilations=[1, 1, 1, 1],
        padding="SAME",
        data_format="NHWC",
    )
    for axis, what, _, back in apart:
        x = matrices.multiply(graph, f"{node.name}/{what}_together", x, axis, back)
    graph.become(node, x, tf.float32)
    return "dilated DepthwiseConv2dNative → its phases side by side"


def phases(before: int, after: int, dilation: int, gap: int, middle: int) -> Tuple[np.ndarray, np.ndarray]:
    """The matrices that sort rows by phase, ``gap`` zeros behind each, and back.

    Args:
        before: the rows of the source.
        after: the rows of the result, whose row i is computed around row i + ``middle`` of the source.
        dilation: d; rows i, i + d, i + 2d, … are one phase.
        gap: half the kernel.
        middle: see ``after``.

    Returns:
        float32 [before, sorted] and [sorted, after].

    Raises:
        Left: a result lies around a row outside the source.
    """
    if middle < 0 or middle + after > before:
        raise Left(_NOT_A_DILATION)
    length = -(-before // dilation) + gap
    row = np.arange(before)
    place = row % dilation * length + row // dilation
    sort = np.zeros([before, dilation * length], np.float32)
    sort[row, place] = 1
    return sort, sort[middle : middle + after].T


def _is_plain_depthwise(node: Any) -> bool:
    return (
        node.op == "DepthwiseConv2dNative"
        and node.attr["padding"].s == b"VALID"
        and node.attr["data_format"].s in (b"NHWC", b"")
        and list(node.attr["strides"].list.i) == [1, 1, 1, 1]
        and set(node.attr["dilations"].list.i) <= {1}
    )
