"""The counts of a confusion matrix, and what no metric counts."""

import numpy as np
import pytest

from trainer.metrics.accuracy import PixelAccuracy
from trainer.metrics.confusion import ConfusionMatrix, counted
from trainer.metrics.metric import Measured
from trainer.metrics.overlap import mean_iou


def confusion_of(labels, predictions, classes):
    confusion = ConfusionMatrix(classes)
    confusion.add(np.array(labels, np.uint8), np.array(predictions, np.uint8))
    return confusion


def test_pixels_are_counted_by_label_and_prediction():
    confusion = confusion_of([0, 0, 0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1, 2, 2], classes=3)
    np.testing.assert_array_equal(confusion.counts, [[3, 1, 0], [0, 2, 1], [0, 0, 1]])


def test_ignored_pixels_are_no_class():
    """Counted as one more class, always right, they would turn the mean m of 19 classes into (19 m + 1) / 20."""
    labels, predictions = np.arange(19).repeat(10), np.arange(19).repeat(10)
    predictions[::2] = (predictions[::2] + 1) % 19
    alone = confusion_of(labels, predictions, classes=19)
    with_ignored = confusion_of([*labels, *[255] * 1000], [*predictions, *[7] * 1000], classes=19)
    assert mean_iou(with_ignored) == mean_iou(alone) == pytest.approx(1 / 3)


@pytest.mark.parametrize("labels", [[], [255, 255]])
def test_metrics_of_no_pixels_are_0(labels):
    confusion = confusion_of(labels, [0] * len(labels), classes=3)
    assert mean_iou(confusion) == PixelAccuracy().overall(Measured(confusion)) == 0


def test_images_of_any_size_add_up():
    rng = np.random.default_rng(0)
    pairs = [rng.integers(0, 5, (2, side, side + 3)) for side in (4, 9, 1)]
    together = confusion_of(*np.concatenate([pair.reshape(2, -1) for pair in pairs], axis=1), classes=5)
    one_by_one = ConfusionMatrix(5)
    for labels, predictions in pairs:
        one_by_one.add(labels, predictions)
    np.testing.assert_array_equal(one_by_one.counts, together.counts)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 3], [0, 0], "a label has id 3: expected 0 to 2"),
        ([0, 0], [0, 255], "a prediction has id 255: expected 0 to 2"),
        ([0, 0], [0], r"labels are \(2,\), predictions \(1,\)"),
    ],
)
def test_invalid_ids_and_shapes_are_value_errors(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        confusion_of(labels, predictions, classes=3)


def test_ignored_labels_are_not_counted():
    labels = np.array([[0, 3, 255], [255, 1, 2]], np.uint8)
    np.testing.assert_array_equal(counted(labels, 255), [[True, True, False], [False, True, True]])
