"""Cross entropy over the pixels that count."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses import cross_entropy

IGNORED = 255


def reference(labels, logits):
    """The same in float64 NumPy."""
    logits = np.asarray(logits, np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    counted = labels != IGNORED
    return -np.take_along_axis(log_p[counted], labels[counted][:, None].astype(int), axis=-1).mean()


def value_and_gradient(labels, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = cross_entropy(tf.constant(labels), logits, IGNORED)
    return float(loss), tape.gradient(loss, logits).numpy()


@pytest.fixture
def batch():
    """Labels [2, 6, 5] of four classes, a third of them ignored, and logits of the size trained networks give."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (2, 6, 5)).astype(np.uint8)
    labels[rng.random(labels.shape) < 1 / 3] = IGNORED
    return labels, rng.normal(0, 8, (2, 6, 5, 4)).astype(np.float32)


def test_it_is_the_reference_s_value(batch):
    loss, _ = value_and_gradient(*batch)
    assert loss == pytest.approx(reference(*batch), rel=1e-6)


def test_extreme_logits_stay_finite():
    labels = np.zeros((1, 1, 2), np.uint8)
    logits = np.array([[[[1e4, -1e4], [-1e4, 1e4]]]], np.float32)
    loss, gradient = value_and_gradient(labels, logits)
    assert loss == pytest.approx(reference(labels, logits)) == 1e4
    assert np.isfinite(gradient).all()


def test_ignored_pixels_change_neither_value_nor_gradient(batch):
    labels, logits = batch
    ignored = labels == IGNORED
    elsewhere = logits.copy()
    elsewhere[ignored] = 1000
    loss, gradient = value_and_gradient(labels, logits)
    assert value_and_gradient(labels, elsewhere)[0] == loss
    np.testing.assert_array_equal(value_and_gradient(labels, elsewhere)[1], gradient)
    assert (gradient[ignored] == 0).all()
    assert (gradient[~ignored] != 0).any(axis=-1).all()


def test_a_wholly_ignored_batch_is_zero_with_zero_gradients(batch):
    labels, logits = batch
    loss, gradient = value_and_gradient(np.full_like(labels, IGNORED), logits)
    assert loss == 0
    np.testing.assert_array_equal(gradient, np.zeros_like(logits))


def test_half_precision_logits_are_taken_to_float32_first(batch):
    labels, logits = batch
    half = logits.astype(np.float16)
    assert value_and_gradient(labels, half)[0] == pytest.approx(reference(labels, half), rel=1e-6)
