"""Pixel accuracy, precision and recall of counts, to the last digit."""

import numpy as np
import pytest

from trainer.metrics.accuracy import PixelAccuracy, Precision, Recall
from trainer.metrics.confusion import ConfusionMatrix
from trainer.metrics.metric import Measured


@pytest.fixture
def measured():
    """Class 0: 3 right, 1 taken for 1. Class 1: 2 right, 1 taken for 2. Class 2: 1 right. Class 3: absent."""
    confusion = ConfusionMatrix(4)
    confusion.add(np.array([0, 0, 0, 0, 1, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 1, 2, 2]))
    return Measured(confusion)


def test_recall_is_a_fraction_of_the_labelled_pixels(measured):
    np.testing.assert_allclose(Recall().per_class(measured), [3 / 4, 2 / 3, 1, np.nan])


def test_precision_is_a_fraction_of_the_predicted_pixels(measured):
    np.testing.assert_allclose(Precision().per_class(measured), [1, 2 / 3, 1 / 2, np.nan])


def test_pixel_accuracy_is_a_fraction_of_all_pixels(measured):
    assert PixelAccuracy().overall(measured) == 6 / 8
    assert PixelAccuracy().per_class(measured) is None


def test_class_without_labels_or_predictions_has_no_value():
    confusion = ConfusionMatrix(2)
    confusion.add(np.array([0, 0]), np.array([1, 1]))
    np.testing.assert_array_equal(Recall().per_class(Measured(confusion)), [0, np.nan])
    np.testing.assert_array_equal(Precision().per_class(Measured(confusion)), [np.nan, 0])
