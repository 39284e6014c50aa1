"""Resizes that TensorRT does not take.

TF-TRT converts bilinear resizes only with ``align_corners=True`` and nearest-neighbour ones only without half-pixel
centres; networks use neither. Both resize one axis after the other, and each step is linear, so it can be written with
other operations: see :mod:`.taps` and :mod:`.matrices`.
"""

from typing import Any, List, Optional

import tensorflow as tf

from converter.targets.tf_trt.rewrites import matrices, taps
from converter.targets.tf_trt.rewrites.graph import Graph, NotRewritable, data_inputs

_AXES = {1: "rows", 2: "columns"}


def rewrite_bilinear(graph: Graph, node: Any) -> Optional[str]:
    """Rewrite ResizeBilinear without aligned corners; the result is float32 [N,H,W,C] as the operation's.

    Raises:
        NotRewritable: the source's or the target's size, or the channels, are not static.
    """
    if node.attr["align_corners"].b:
        return None
    *source, channels = graph.image(data_inputs(node)[0])
    *target, _ = graph.image(node.name)
    half_pixel = node.attr["half_pixel_centers"].b
    x = _as_float32(graph, node)
    used: List[str] = []
    for axis, name in _AXES.items():
        before, after = source[axis - 1], target[axis - 1]
        size = (target[0], source[1] if axis == 1 else target[1])
        prefix = f"{node.name}/{name}"
        if before == after:
            continue
        if before == 1:  # every target pixel equals the only source pixel
            x = taps.repeat(graph, prefix, x, size)
            used.append("broadcast")
        elif half_pixel and taps.repeats(before, after):
            x = taps.interpolate(graph, prefix, x, axis, before, size, channels)
            used.append("taps")
        else:
            matrix = matrices.bilinear(before, after, half_pixel)
            x = matrices.multiply(graph, prefix, x, axis, matrix)
            used.append("matrices")
    graph.become(node, x, tf.float32)
    kind = "half-pixel ResizeBilinear" if half_pixel else "ResizeBilinear with corners at 0"
    return f"{kind} → {' and '.join(sorted(set(used))) or 'nothing, as the size is the same'}"


def rewrite_nearest(graph: Graph, node: Any) -> Optional[str]:
    """Rewrite half-pixel ResizeNearestNeighbor; other dtypes than float32 only at whole factors.

    Raises:
        NotRewritable: a size is not static, or integers would have to be multiplied by a matrix.
    """
    if node.attr["align_corners"].b or not node.attr["half_pixel_centers"].b:
        return None
    *source, _ = graph.image(data_inputs(node)[0])
    *target, _ = graph.image(node.name)
    if all(taps.repeats(before, after) for before, after in zip(source, target)):
        # floor((i + 1/2) / f) is floor(i / f) for whole f.
        node.attr["half_pixel_centers"].b = False
        return "half-pixel ResizeNearestNeighbor → plain, the same at whole factors"
    if graph.dtype(data_inputs(node)[0]) != tf.float32:
        raise NotRewritable("its factor needs a matrix, but its values are not float32")
    x = data_inputs(node)[0]
    for axis, name in _AXES.items():
        before, after = source[axis - 1], target[axis - 1]
        if before != after:
            x = matrices.multiply(graph, f"{node.name}/{name}", x, axis, matrices.nearest(before, after))
    graph.become(node, x, tf.float32)
    return "half-pixel ResizeNearestNeighbor → matrices"


def _as_float32(graph: Graph, node: Any) -> str:
    source = data_inputs(node)[0]
    dtype = graph.dtype(source)
    if dtype == tf.float32:
        return source
    return graph.add(f"{node.name}/float32", "Cast", [source], SrcT=dtype, DstT=tf.float32, Truncate=False)
