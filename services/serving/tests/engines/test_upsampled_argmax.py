"""Argmax before full size: the mask is TensorFlow's argmax of its own resized logits, on every pixel."""

import numpy as np
import pytest
import tensorflow as tf

from serving.engines.upsampled_argmax import is_power_of_two, upsampled_argmax


def _argmax_of_resized(logits, factor):
    _, height, width, _ = logits.shape
    return tf.argmax(tf.image.resize(logits, [height * factor, width * factor]), -1, tf.int32).numpy().astype(np.uint8)


def _noise(random, shape):
    return random.normal(size=shape)


def _regions(random, shape):
    n, _, _, classes = shape
    return tf.image.resize(random.normal(size=(n, 4, 5, classes)), shape[1:3], method="bicubic").numpy()


def _ties(random, shape):
    return np.round(2 * _regions(random, shape))


def _last_bits(random, shape):
    return 1 + 1e-6 * _regions(random, shape)


def _constant(random, shape):
    return np.full(shape, -3.5)


@pytest.mark.parametrize("kind", [_noise, _regions, _ties, _last_bits, _constant])
@pytest.mark.parametrize("factor", [2, 4, 8, 16])
def test_every_pixel_equals_tensorflows(kind, factor):
    logits = kind(np.random.default_rng(factor), (2, 48, 64, 19)).astype(np.float32)
    assert np.array_equal(upsampled_argmax(logits, factor), _argmax_of_resized(logits, factor))


@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (1, 1, 7, 3), (3, 5, 1, 2), (1, 4, 4, 256), (1, 3, 3, 1)], ids=str)
def test_smallest_image_and_most_classes(shape):
    logits = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    mask = upsampled_argmax(logits, 8)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, _argmax_of_resized(logits, 8))


def test_near_ties_are_interpolated():
    # Ahead at all corners by one unit in the last place, of which interpolation may keep nothing.
    logits = np.random.default_rng(0).uniform(1, 2, (1, 32, 32, 1)).astype(np.float32)
    logits = np.concatenate([logits, np.nextafter(logits, np.float32(4))], -1)
    expected = _argmax_of_resized(logits, 8)
    assert 0 < expected.mean() < 1, "ties after rounding go to class 0"
    assert np.array_equal(upsampled_argmax(logits, 8), expected)


def test_factors():
    assert [factor for factor in range(-2, 20) if is_power_of_two(factor)] == [2, 4, 8, 16]
