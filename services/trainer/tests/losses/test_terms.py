"""Which pixels count in a loss."""

import numpy as np
import tensorflow as tf

from trainer.losses.terms import targets_and_weights

LABELS = np.array([[0, 3, 255], [255, 1, 2]], np.uint8)


def test_ignored_label_becomes_index_0_with_weight_0():
    targets, weights = targets_and_weights(tf.constant(LABELS), 255)
    np.testing.assert_array_equal(targets, [[0, 3, 0], [0, 1, 2]])
    np.testing.assert_array_equal(weights, [[1, 1, 0], [0, 1, 1]])


def test_ignored_id_can_be_0():
    targets, weights = targets_and_weights(tf.constant(LABELS), 0)
    np.testing.assert_array_equal(weights, [[0, 1, 1], [1, 1, 1]])
    assert targets[0, 0] == 0
