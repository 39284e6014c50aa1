"""Evaluation of anything that turns images into masks, at the labels' size."""

import cv2
import numpy as np
import pytest

from contract import IGNORE_ID, ClassInfo, ModelCard
from trainer.errors import UserError
from trainer.evaluation.evaluate import evaluate
from trainer.inference.segmenter import Segmenter
from trainer.metrics import create_metrics
from trainer.metrics.accuracy import PixelAccuracy
from trainer.metrics.boundary_f1 import TOLERANCE
from trainer.metrics.confusion import ConfusionMatrix
from trainer.metrics.overlap import mean_iou


@pytest.fixture
def known():
    """Labels and predictions of 5 images with 3 classes: 20 x 30 pixels at random, the same in every run."""
    rng = np.random.default_rng(5)
    return rng.integers(0, 3, (2, 5, 20, 30), np.uint8)


def test_known_confusion_gives_the_exact_miou(labelled, oracle, known):
    labels, predictions = known
    counts = np.zeros((3, 3), int)
    np.add.at(counts, (labels.ravel(), predictions.ravel()), 1)
    right = counts.diagonal()
    iou = right / (counts.sum(0) + counts.sum(1) - right)
    dataset = labelled(labels, predictions, 3)

    found = evaluate(oracle(dataset, 20, 30), dataset, "test")
    np.testing.assert_array_equal(found.confusion.counts, counts)
    assert mean_iou(found.confusion) == iou.mean()
    assert found.card_metrics.per_class_iou == {f"class {n}": round(float(iou[n]), 4) for n in range(3)}
    assert found.card_metrics.images == 5


def test_ignored_pixels_are_no_class(labelled, oracle):
    """As a twentieth class that is always right, they would turn the mean m of 19 classes into (19 m + 1) / 20."""
    labels = np.arange(19, dtype=np.uint8).repeat(20).reshape(19, 20)
    predictions = labels.copy()
    # 3 of each class's 20 pixels are taken for the next class: IoU 17 / 23.
    predictions[:, :3] = (labels[:, :3] + 1) % 19
    ignored = np.full((19, 20), IGNORE_ID, np.uint8)
    guesses = np.random.default_rng(0).integers(0, 19, (19, 20))
    dataset = labelled([np.hstack([labels, ignored])], [np.hstack([predictions, guesses])], 19)

    miou = mean_iou(evaluate(oracle(dataset, 19, 40), dataset, "test").confusion)
    assert miou == pytest.approx(17 / 23, rel=1e-15)
    assert miou != pytest.approx((19 * 17 / 23 + 1) / 20, abs=0.01)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_every_image_counts_once_whatever_the_batch_size(labelled, oracle, known, batch_size):
    labels, predictions = known
    predictions[:4], predictions[4] = labels[:4], (labels[4] + 1) % 3  # all errors are in the last image
    dataset = labelled(labels, predictions, 3)
    found = evaluate(oracle(dataset, 20, 30), dataset, "test", batch_size=batch_size)
    assert found.confusion.counts.sum() == labels.size
    assert PixelAccuracy().overall(found.measured) == 4 / 5
    assert [image.item.id for image in found.images] == ["0", "1", "2", "3", "4"]
    assert [image.miou for image in found.images] == [1, 1, 1, 1, 0]


def test_perfect_network_loses_only_by_resizing(dataset):
    labels = [cv2.imread(str(dataset.root / i.mask), cv2.IMREAD_UNCHANGED) for i in dataset.split("test")]
    small = [cv2.resize(label, (48, 32), interpolation=cv2.INTER_NEAREST_EXACT) for label in labels]
    waiting = iter(small)

    def masks(images):
        assert images.shape[1:] == (32, 48, 3)
        return np.stack([next(waiting) for _ in images])

    card = ModelCard("perfect", "none", 32, 48, dataset.classes)
    found = evaluate(Segmenter("perfect", card, masks, None, lambda: None), dataset, "test")
    expected = ConfusionMatrix(len(dataset.classes))
    for label, mask in zip(labels, small, strict=True):
        expected.add(label, mask.repeat(2, axis=0).repeat(2, axis=1))  # nearest neighbour, half-pixel
    np.testing.assert_array_equal(found.confusion.counts, expected.counts)
    assert 0.85 < found.card_metrics.miou < 1


def test_absent_class_does_not_count(labelled, oracle):
    half = np.array([[0, 0, IGNORE_ID, IGNORE_ID]] * 4, np.uint8)
    dataset = labelled([half], [np.zeros((4, 4), int)], 3)
    metrics = evaluate(oracle(dataset, 4, 4), dataset, "test").card_metrics
    assert metrics.miou == 1
    assert metrics.per_class_iou == {"class 0": 1.0, "class 1": None, "class 2": None}


def test_boundary_f1_is_averaged_over_images_with_an_outline(labelled, oracle):
    square, nothing = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    square[5:15, 5:15] = 1
    dataset = labelled([square, square, nothing], [square, nothing, nothing], 3)
    found = evaluate(oracle(dataset, 20, 20), dataset, "test", metrics=create_metrics(TOLERANCE))
    *_, boundary_f1 = found.metrics
    np.testing.assert_array_equal(boundary_f1.per_class(found.measured), [1 / 2, 1 / 2, np.nan])
    assert boundary_f1.overall(found.measured) == 1 / 2


def test_outlines_are_not_measured_by_default(labelled, oracle, known):
    dataset = labelled(*known, 3)
    found = evaluate(oracle(dataset, 20, 30), dataset, "test")
    *_, boundary_f1 = found.metrics
    assert boundary_f1.per_class(found.measured) is boundary_f1.overall(found.measured) is None


def test_worst_images_are_kept_worst_first(labelled, oracle):
    label = np.arange(100, dtype=np.uint8).reshape(10, 10) % 2
    wrong = [3, 60, 0, 60, 20]  # pixels
    predictions = [np.where(np.arange(100).reshape(10, 10) < w, 1 - label, label) for w in wrong]
    unlabelled = np.full((10, 10), IGNORE_ID, np.uint8)
    dataset = labelled([label] * 5 + [unlabelled], [*predictions, label], 2)
    found = evaluate(oracle(dataset, 10, 10), dataset, "test", keep_worst=3)
    assert [image.item.id for image, _ in found.worst] == ["1", "3", "4"]
    for image, mask in found.worst:
        np.testing.assert_array_equal(mask, predictions[int(image.item.id)])
    assert found.images[5].miou is None
    assert len(evaluate(oracle(dataset, 10, 10), dataset, "test", keep_worst=50).worst) == 5


class TestUserErrors:
    def test_different_classes(self, labelled, oracle, known):
        dataset = labelled(*known, 3)
        other = ModelCard("other", "none", 20, 30, (dataset.classes[0], ClassInfo(1, "pear", (1, 1, 1))))
        segmenter = Segmenter("other", other, lambda _: None, None, lambda: None)
        with pytest.raises(UserError, match=r"the model knows the classes \['class 0', 'pear'\], but .*'class 2'"):
            evaluate(segmenter, dataset, "test")

    def test_label_that_is_no_class(self, labelled, oracle, known):
        labels, predictions = known
        labels[3, 0, 0] = 17
        dataset = labelled(labels, predictions, 3)
        with pytest.raises(
            UserError, match=r"masks/3\.png or the mask from oracle: a label has id 17: expected 0 to 2"
        ):
            evaluate(oracle(dataset, 20, 30), dataset, "test")

    def test_missing_image(self, labelled, oracle, known):
        dataset = labelled(*known, 3)
        (dataset.root / "images/2.png").unlink()
        with pytest.raises(UserError, match=r"images/2\.png or masks/2\.png cannot be read"):
            evaluate(oracle(dataset, 20, 30), dataset, "test")
