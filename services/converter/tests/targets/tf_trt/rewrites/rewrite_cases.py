"""Runs operations before and after rewriting under any TensorFlow, and prints a JSON comparison.

For each case: the largest difference, the largest value, whether shape and dtype are the same, the rewrite's notes, and
the remaining operations.
"""

import json
import sys

import numpy as np
import tensorflow as tf

from converter.targets.tf_trt import rewrites

# (height, width) before and after
SIZES = {
    "2": ((5, 7), (10, 14)),
    "4": ((3, 8), (12, 32)),
    "8": ((8, 10), (64, 80)),
    "3, odd": ((5, 9), (15, 27)),
    "7.5 and 8": ((8, 10), (60, 80)),
    "odd sizes": ((7, 11), (33, 29)),
    "down": ((33, 29), (11, 7)),
    # 41 * (1 / 41) is less than 1 in float32.
    "41": ((2, 3), (82, 123)),
    "1x1": ((1, 1), (13, 9)),
    "1 high": ((1, 6), (8, 24)),
    "to 1x1": ((5, 5), (1, 1)),
    "the same": ((6, 6), (6, 6)),
}
CASES = {}


def case(name, shape, dtype=np.float32):
    """Register a function of a placeholder of this shape; it is run with batches of 1 and 4 images."""

    def add(build):
        CASES[name] = (build, shape, dtype)
        return build

    return add


for factor, (before, after) in SIZES.items():

    @case(f"bilinear by {factor}", [None, *before, 3])
    def bilinear(x, after=after):
        return tf.raw_ops.ResizeBilinear(images=x, size=after, half_pixel_centers=True)

    @case(f"nearest by {factor}", [None, *before, 3])
    def nearest(x, after=after):
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=after, half_pixel_centers=True)


@case("bilinear without half-pixel centres", [None, 8, 10, 3])
def corners_at_0(x):
    return tf.raw_ops.ResizeBilinear(images=x, size=[60, 80])


@case("bilinear of uint8", [None, 6, 8, 3], np.uint8)
def of_uint8(x):
    return tf.raw_ops.ResizeBilinear(images=x, size=[12, 24], half_pixel_centers=True)


@case("bilinear of float16", [None, 6, 8, 3], np.float16)
def of_float16(x):
    return tf.raw_ops.ResizeBilinear(images=x, size=[12, 20], half_pixel_centers=True)


@case("bilinear to a computed size", [None, 6, 8, 3])
def computed_size(x):
    return tf.raw_ops.ResizeBilinear(images=x, size=tf.shape(x)[1:3] * 2, half_pixel_centers=True)


@case("bilinear to the size of another image", [None, 6, 8, 3])
def size_of_another(x):
    height = tf.shape(x)[-3]
    small = tf.raw_ops.AvgPool(value=x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
    return tf.raw_ops.ResizeBilinear(images=small, size=[height, tf.shape(x)[2]], half_pixel_centers=True)


@case("bilinear of an open size", [None, None, None, 3])
def open_size(x):
    return tf.raw_ops.ResizeBilinear(images=x, size=[12, 16], half_pixel_centers=True)


@case("bilinear with aligned corners", [None, 6, 8, 3])
def aligned(x):
    return tf.raw_ops.ResizeBilinear(images=x, size=[12, 16], align_corners=True)


@case("bilinear twice, read twice", [None, 4, 6, 2])
def twice(x):
    once = tf.raw_ops.ResizeBilinear(images=x, size=[8, 12], half_pixel_centers=True)
    return once[..., :1] + tf.raw_ops.ResizeBilinear(images=once, size=[8, 12], half_pixel_centers=True)


@case("squeeze-excite with a dynamic reshape", [None, 5, 6, 8])
def squeeze_excite(x):
    mean = tf.reduce_mean(x, [1, 2])
    shape = tf.stack([tf.shape(mean)[0], 1, 1, 8])
    return x * tf.sigmoid(tf.reshape(mean, shape))


@case("a shape that is ensured", [None, 5, 6, 8])
def ensured(x):
    return tf.ensure_shape(tf.nn.relu(x), [None, 5, 6, 8])


@case("argmax to int64, cast", [None, 5, 6, 8])
def argmax_cast(x):
    return tf.cast(tf.argmax(x, -1), tf.uint8)


@case("argmax to int64", [None, 5, 6, 8])
def argmax(x):
    return tf.argmax(x, -1)


@case("argmin to int64", [None, 5, 6, 8])
def argmin(x):
    return tf.argmin(x, -1)


for rate, kernel, size in (((2, 2), (3, 3), (8, 12)), ((6, 6), (3, 3), (8, 13)), ((3, 1), (5, 3), (14, 9))):
    for padding in ("SAME", "VALID"):
        if padding == "VALID" and rate == (6, 6):
            continue

        @case(f"depthwise {kernel} dilated by {rate}, {padding}", [None, *size, 4])
        def dilated(x, rate=rate, kernel=kernel, padding=padding):
            weights = np.random.default_rng(5).normal(size=[*kernel, 4, 2]).astype(np.float32)
            return tf.nn.bias_add(tf.nn.depthwise_conv2d(x, weights, [1, 1, 1, 1], padding, dilations=rate), np.ones(8))


@case("convolutions with explicit padding", [None, 8, 11, 4])
def padded(x):
    rng = np.random.default_rng(6)
    kernel, depthwise = (rng.normal(size=[3, 3, 4, out]).astype(np.float32) for out in (4, 1))
    x = tf.nn.conv2d(x, kernel, 2, [[0, 0], [1, 1], [1, 0], [0, 0]])
    return tf.nn.depthwise_conv2d(x, depthwise, [1, 1, 1, 1], [[0, 0], [1, 0], [2, 1], [0, 0]])


@case("uint8 pixels transposed before the cast", [None, 3, 6, 8], np.uint8)
def transposed(x):
    return tf.nn.relu(tf.cast(tf.transpose(x, [0, 2, 3, 1])[:, 1:], tf.float32) - 100)


@case("classes reshaped after the cast", [None, 5, 6, 8])
def flattened(x):
    return tf.reshape(tf.cast(tf.argmax(x, -1, tf.int32), tf.uint8)[..., tf.newaxis], [-1, 30])


def run(build, shape, dtype):
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(dtype, shape, "x")
        tf.identity(build(x), "y")

        graph_def = graph.as_graph_def()
    rewritten, notes = rewrites.apply(graph_def, ["x", "y"])
    difference, largest, same = 0.0, 0.0, True
    rng = np.random.default_rng(1)
    for images in (1, 4):
        batch = rng.uniform(0, 255 if dtype == np.uint8 else 1, [images, *(size or 6 for size in shape[1:])]).astype(
            dtype
        )
        ours, theirs = (values(definition, batch) for definition in (rewritten, graph_def))
        same = same and ours.shape == theirs.shape and ours.dtype == theirs.dtype
        difference = max(difference, float(np.abs(ours.astype(float) - theirs).max()))
        largest = max(largest, float(np.abs(theirs).max()))
    return {
        "difference": difference,
        "largest": largest,
        "same": same,
        "notes": notes,
        "left": sorted({node.op for node in rewritten.node}),
        "before": sorted({node.op for node in graph_def.node}),
    }


def values(graph_def, batch):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.graph_util.import_graph_def(graph_def, name="")
        return session.run("y:0", {"x:0": batch})


if __name__ == "__main__":
    found = {name: run(*parts) for name, parts in CASES.items()}
    json.dump({"tensorflow": tf.__version__, "cases": found}, sys.stdout)
