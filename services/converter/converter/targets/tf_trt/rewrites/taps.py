"""Half-pixel bilinear interpolation by a whole factor f along one axis: nearest neighbour, then a moving average.

A target pixel is the average of a window of width f over the source stretched by f. For odd f the window covers whole
pixels, f taps of 1/f; for even f it covers half a pixel at either end, taps [1/2, 1, …, 1, 1/2] / f. Beyond the border
the operation repeats the last source pixel. Padding with zeros and dividing by the sum of the taps inside is the same,
because the rest of the window is inside that pixel.
"""

from typing import Tuple

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt.rewrites.graph import Graph


def repeats(before: int, after: int) -> bool:
    """Whether ResizeNearestNeighbor without half-pixel centres repeats every pixel equally often.

    It scales positions in float32: for some whole factors, 41 and 47 among them, i * (1 / f) is rounded down past a
    pixel's beginning.
    """
    scale = np.float32(before) / np.float32(after)
    reached = np.floor(np.arange(after, dtype=np.float32) * scale).clip(None, before - 1)
    return after % before == 0 and np.array_equal(reached, np.arange(after) // (after // before))


def repeat(graph: Graph, name: str, x: str, size: Tuple[int, int]) -> str:
    """Stretch ``x``, float32 [N,H,W,C], to ``size`` by repeating pixels; :func:`repeats` must be true."""
    return graph.add(
        f"{name}_nearest",
        "ResizeNearestNeighbor",
        [x, graph.add_constant(f"{name}_size", np.array(size, np.int32))],
        T=tf.float32,
        align_corners=False,
        half_pixel_centers=False,
    )


def interpolate(graph: Graph, name: str, x: str, axis: int, before: int, size: Tuple[int, int], channels: int) -> str:
    """Interpolate ``x``, float32 [N,H,W,C], along ``axis`` (1 or 2) from ``before`` pixels to ``size``."""
    after = size[axis - 1]
    taps = window(after // before)
    shape = [1, 1, 1, 1]
    shape[axis - 1] = len(taps)
    kernel = np.tile(taps.reshape(shape), [1, 1, channels, 1])
    averaged = graph.add(
        f"{name}_taps",
        "DepthwiseConv2dNative",
        [repeat(graph, name, x, size), graph.add_constant(f"{name}_kernel", kernel)],
        T=tf.float32,
        strides=[1, 1, 1, 1],
        dilations=[1, 1, 1, 1],
        padding="SAME",
        data_format="NHWC",
    )
    inside = np.convolve(np.ones(after), taps, mode="same")
    shape = [1, 1, 1, 1]
    shape[axis] = after
    border = graph.add_constant(f"{name}_border", (1 / inside).astype(np.float32).reshape(shape))
    return graph.add(f"{name}_interpolated", "Mul", [averaged, border], T=tf.float32)


def window(factor: int) -> np.ndarray:
    """The taps, float32; an odd number that sums to 1."""
    taps = np.ones(factor + 1 - factor % 2)
    if factor % 2 == 0:
        taps[[0, -1]] = 0.5
    return (taps / factor).astype(np.float32)
