"""IoU and Dice of counts, to the last digit."""

import numpy as np
import pytest

from trainer.metrics.confusion import ConfusionMatrix
from trainer.metrics.metric import Measured
from trainer.metrics.overlap import Dice, IoU, iou, mean_iou


@pytest.fixture
def confusion():
    """Class 0: 3 right, 1 taken for 1. Class 1: 2 right, 1 taken for 2. Class 2: 1 right. Class 3: absent."""
    matrix = ConfusionMatrix(4)
    matrix.add(np.array([0, 0, 0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 1, 2, 2]))
    return matrix


def test_iou_of_known_counts(confusion):
    np.testing.assert_array_equal(iou(confusion), [3 / 4, 2 / 4, 1 / 2, np.nan])
    np.testing.assert_array_equal(IoU().per_class(Measured(confusion)), iou(confusion))


def test_absent_class_does_not_count_in_the_mean(confusion):
    assert mean_iou(confusion) == IoU().overall(Measured(confusion)) == (3 / 4 + 2 / 4 + 1 / 2) / 3


def test_dice_of_known_counts(confusion):
    np.testing.assert_allclose(Dice().per_class(Measured(confusion)), [6 / 7, 4 / 6, 2 / 3, np.nan])
    assert Dice().overall(Measured(confusion)) == pytest.approx((6 / 7 + 4 / 6 + 2 / 3) / 3)


def test_class_that_was_only_predicted_has_overlap_0():
    confusion = ConfusionMatrix(2)
    confusion.add(np.array([0, 0]), np.array([0, 1]))
    np.testing.assert_array_equal(iou(confusion), [1 / 2, 0])
    np.testing.assert_array_equal(Dice().per_class(Measured(confusion)), [2 / 3, 0])


def test_overlap_of_random_masks_is_that_of_their_sets():
    labels, predictions = np.random.default_rng(0).integers(0, 3, (2, 40, 30))
    confusion = ConfusionMatrix(3)
    confusion.add(labels, predictions)
    both = [((labels == c) & (predictions == c)).sum() for c in range(3)]
    either = [((labels == c) | (predictions == c)).sum() for c in range(3)]
    np.testing.assert_allclose(iou(confusion), np.divide(both, either))
    np.testing.assert_allclose(Dice().per_class(Measured(confusion)), 2 * np.divide(both, np.add(both, either)))
