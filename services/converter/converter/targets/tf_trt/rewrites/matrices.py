"""Interpolation along one axis between any two sizes, as a product with a constant matrix.

The product is a 1x1 convolution with the axis transposed to the channels, which TensorRT supports best. Positions are
computed in float32 with the same steps as TensorFlow's kernels, so that they are rounded equally.
"""

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph

# Transpose the axis to the end, and back.
_PERMUTATIONS = {1: (0, 3, 2, 1), 2: (0, 1, 3, 2)}


def bilinear(before: int, after: int, half_pixel: bool) -> np.ndarray:
    """float32 [before, after] of ResizeBilinear with ``align_corners=False``."""
    source = _source_positions(before, after, half_pixel)
    lower = np.floor(source)
    weight = source - lower
    matrix = np.zeros([before, after], np.float32)
    columns = np.arange(after)
    np.add.at(matrix, (np.clip(lower, 0, None).astype(int), columns), 1 - weight)
    np.add.at(matrix, (np.clip(lower + 1, None, before - 1).astype(int), columns), weight)
    return matrix


def nearest(before: int, after: int) -> np.ndarray:
    """float32 [before, after] of half-pixel ResizeNearestNeighbor: one 1 per column."""
    scale = np.float32(before) / np.float32(after)
    source = np.floor((np.arange(after, dtype=np.float32) + np.float32(0.5)) * scale)
    matrix = np.zeros([before, after], np.float32)
    matrix[np.clip(source, 0, before - 1).astype(int), np.arange(after)] = 1
    return matrix


def multiply(graph: Graph, name: str, x: str, axis: int, matrix: np.ndarray) -> str:
    """Multiply ``axis`` (1 or 2) of ``x``, float32 [N,H,W,C], by ``matrix``."""
    permutation = graph.add_constant(f"{name}_permutation", np.array(_PERMUTATIONS[axis], np.int32))
    transposed = graph.add(f"{name}_transposed", "Transpose", [x, permutation], T=tf.float32, Tperm=tf.int32)
    product = graph.add(
        f"{name}_product",
        "Conv2D",
        [transposed, graph.add_constant(f"{name}_matrix", matrix.reshape(1, 1, *matrix.shape))],
        T=tf.float32,
        strides=[1, 1, 1, 1],
        dilations=[1, 1, 1, 1],
        padding="VALID",
        data_format="NHWC",
    )
    return graph.add(f"{name}_interpolated", "Transpose", [product, permutation], T=tf.float32, Tperm=tf.int32)


def _source_positions(before: int, after: int, half_pixel: bool) -> np.ndarray:
    scale = np.float32(before) / np.float32(after)
    target = np.arange(after, dtype=np.float32)
    if half_pixel:
        return (target + np.float32(0.5)) * scale - np.float32(0.5)
    return target * scale
