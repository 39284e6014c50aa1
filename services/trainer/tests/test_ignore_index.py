"""Which pixels count: one answer for arrays and tensors, for losses and metrics."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.ignore_index import counted, targets_and_weights

LABELS = np.array([[0, 3, 255], [255, 1, 2]], np.uint8)


@pytest.mark.parametrize("of", [np.asarray, tf.constant, lambda x: tf.constant(x, tf.int32)])
def test_arrays_and_tensors_count_alike(of):
    np.testing.assert_array_equal(counted(of(LABELS), 255), [[True, True, False], [False, True, True]])


def test_an_ignored_label_becomes_an_index_worth_nothing():
    targets, weights = targets_and_weights(tf.constant(LABELS), 255)
    np.testing.assert_array_equal(targets, [[0, 3, 0], [0, 1, 2]])
    np.testing.assert_array_equal(weights, [[1, 1, 0], [0, 1, 1]])


def test_zero_can_be_the_ignored_id():
    targets, weights = targets_and_weights(tf.constant(LABELS), 0)
    np.testing.assert_array_equal(weights, [[0, 1, 1], [1, 1, 1]])
    assert targets[0, 0] == 0
