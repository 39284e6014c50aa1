"""Convolutions that TensorRT does not take: dilated depthwise ones, and explicit padding.

TensorFlow writes a dilated depthwise convolution as SpaceToBatchND, DepthwiseConv2dNative, BatchToSpaceND.
SpaceToBatchND distributes the pixels over d x d small images in the batch, the phases, on which the convolution is not
dilated. TensorRT cannot change the batch size, so here the phases are placed next to each other in one image, separated
by rows and columns of zeros as padding. Sorting rows and columns into phases and back are products with constant
matrices of zeros and ones, which also pad and crop, because TF-TRT takes no slice when the batch size is unknown.

``dilations`` of DepthwiseConv2dNative would be simpler, but TensorFlow 2.6.2 silently ignores them.
"""

from typing import Any, Optional, Tuple

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites import matrices
from converter.targets.tf_trt.rewrites.graph import Graph, NotRewritable, data_inputs, producer

_NOT_A_DILATION = "it is not part of a dilated depthwise convolution of float32, odd kernel size and known size"


def rewrite_dilated_depthwise(graph: Graph, node: Any) -> Optional[str]:
    """Rewrite a dilated depthwise convolution; ``node`` is its BatchToSpaceND.

    Raises:
        NotRewritable: it is not the end of such a convolution.
    """
    convolution = graph.nodes[producer(data_inputs(node)[0])]
    spread = graph.nodes[producer(data_inputs(convolution)[0])] if _is_plain_depthwise(convolution) else None
    if spread is None or spread.op != "SpaceToBatchND":
        raise NotRewritable(_NOT_A_DILATION)
    x, block, paddings = data_inputs(spread)
    before, after = graph.image(x), graph.image(node.name)
    dilations = graph.constant(block)
    offsets = graph.constant(paddings)[:, 0] - graph.constant(data_inputs(node)[2])[:, 0]
    kernel = data_inputs(convolution)[1]
    sides = (graph.shape(kernel) or (None, None))[:2]
    if len(dilations) != 2 or graph.dtype(x) != tf.float32 or any(not side or side % 2 == 0 for side in sides):
        raise NotRewritable(_NOT_A_DILATION)

    apart = []
    for axis, what, side in zip((1, 2), ("rows", "columns"), sides):
        d, half = int(dilations[axis - 1]), int(side or 1) // 2
        # The source row at the kernel's centre for the first output row.
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
    return "dilated DepthwiseConv2dNative → its phases in one image"


def phases(before: int, after: int, dilation: int, gap: int, middle: int) -> Tuple[np.ndarray, np.ndarray]:
    """The matrices that sort rows by phase, each followed by ``gap`` zeros, and back.

    Args:
        before: the number of rows of the source.
        after: the number of rows of the result; its row i is computed around row i + ``middle`` of the source.
        dilation: d; rows i, i + d, i + 2d, … form a phase.
        gap: half the kernel size.
        middle: see ``after``.

    Returns:
        float32 [before, sorted] and [sorted, after].

    Raises:
        NotRewritable: a result would be computed around a row outside the source.
    """
    if middle < 0 or middle + after > before:
        raise NotRewritable(_NOT_A_DILATION)
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


def rewrite_explicit_padding(graph: Graph, node: Any) -> Optional[str]:
    """Replace ``explicit_paddings`` of Conv2D or DepthwiseConv2dNative by a Pad and VALID; TF-TRT takes no other.

    Networks converted from PyTorch have them, because SAME pads differently at stride 2.
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
    return f"{node.op} with explicit padding → Pad and VALID"
