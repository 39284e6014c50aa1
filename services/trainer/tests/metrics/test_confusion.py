"""Mean intersection over union, to the last digit."""

import numpy as np
import pytest

from trainer.metrics.confusion import ConfusionMatrix


def confusion_of(labels, predictions, classes):
    confusion = ConfusionMatrix(classes)
    confusion.add(np.array(labels, np.uint8), np.array(predictions, np.uint8))
    return confusion


def test_a_known_confusion_gives_its_exact_figures():
    # Class 0: 3 right, 1 taken for 1. Class 1: 2 right, 1 taken for 2. Class 2: 1 right.
    confusion = confusion_of([0, 0, 0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1, 2, 2], classes=3)
    np.testing.assert_array_equal(confusion.counts, [[3, 1, 0], [0, 2, 1], [0, 0, 1]])
    np.testing.assert_allclose(confusion.iou(), [3 / 4, 2 / 4, 1 / 2], rtol=0, atol=0)
    assert confusion.miou() == (3 / 4 + 2 / 4 + 1 / 2) / 3


def test_what_else_it_says():
    confusion = confusion_of([0, 0, 0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, 1, 2, 2], classes=4)
    np.testing.assert_allclose(confusion.dice(), [6 / 7, 4 / 6, 2 / 3, np.nan])
    np.testing.assert_allclose(confusion.recall(), [3 / 4, 2 / 3, 1, np.nan])
    np.testing.assert_allclose(confusion.precision(), [1, 2 / 3, 1 / 2, np.nan])
    assert confusion.pixel_accuracy() == 6 / 8


def test_ignored_pixels_are_no_class_of_their_own():
    """Counted as one more class, always right, they would turn the mean m of 19 classes into (19 m + 1) / 20."""
    labels, predictions = np.arange(19).repeat(10), np.arange(19).repeat(10)
    predictions[::2] = (predictions[::2] + 1) % 19
    alone = confusion_of(labels, predictions, classes=19)
    with_ignored = confusion_of([*labels, *[255] * 1000], [*predictions, *[7] * 1000], classes=19)
    assert with_ignored.miou() == alone.miou() == pytest.approx(1 / 3)


def test_a_class_that_is_nowhere_does_not_count():
    confusion = confusion_of([0, 0, 1, 1], [0, 0, 1, 0], classes=4)
    np.testing.assert_array_equal(confusion.iou(), [2 / 3, 1 / 2, np.nan, np.nan])
    assert confusion.miou() == (2 / 3 + 1 / 2) / 2


def test_a_class_that_was_only_predicted_counts_as_missed():
    confusion = confusion_of([0, 0], [0, 1], classes=2)
    np.testing.assert_array_equal(confusion.iou(), [1 / 2, 0])


@pytest.mark.parametrize("labels", [[], [255, 255]])
def test_nothing_to_count_is_zero(labels):
    confusion = confusion_of(labels, [0] * len(labels), classes=3)
    assert confusion.miou() == confusion.pixel_accuracy() == 0


def test_images_add_up_whatever_their_size():
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
def test_what_cannot_be_counted_is_refused(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        confusion_of(labels, predictions, classes=3)
