"""Mask agreement: what is counted, over which classes, for which pairs of versions."""

import numpy as np
import pytest

from contract import ClassInfo, ModelCard
from gateway.rollout.agreement import WINDOW_IMAGES, Agreements, overlap, summed
from gateway.serving_client.replies import Prediction, ServedModel


def served(*names, name="road", version=1):
    classes = tuple(ClassInfo(i, c, (i, i, i)) for i, c in enumerate(names))
    return ServedModel(name, version, ModelCard(name, "x", 4, 4, classes))


def predicted(mask, *names):
    return Prediction(np.array(mask, np.uint8), served=served(*names))


def test_agreement_is_counted_by_pixel_and_by_class():
    one = overlap(predicted([[0, 0, 1, 1]], "a", "b", "c"), predicted([[0, 1, 1, 1]], "a", "b", "c"))
    assert one.pixel_agreement == 3 / 4
    assert one.per_class_iou == {"a": 1 / 2, "b": 2 / 3, "c": None}
    assert one.miou == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_classes_are_matched_by_name():
    one = overlap(predicted([[0, 1, 2]], "a", "b", "c"), predicted([[1, 0, 2]], "b", "a", "d"))
    assert one.per_class_iou == {"a": 1, "b": 1, "c": 0, "d": 0}
    assert one.pixel_agreement == 2 / 3


def test_pixels_that_either_mask_ignores_are_not_counted():
    one = overlap(predicted([[0, 0, 255, 1]], "a", "b"), predicted([[0, 255, 1, 1]], "a", "b"))
    assert (one.pixels, one.pixel_agreement, one.miou) == (2, 1, 1)
    nothing = overlap(predicted([[255]], "a", "b"), predicted([[0]], "a", "b"))
    assert (nothing.pixel_agreement, nothing.miou) == (None, None)


def test_masks_are_compared_at_the_first_ones_size():
    large = np.kron([[0, 1], [1, 0]], np.ones((4, 4)))
    assert overlap(predicted([[0, 1], [1, 0]], "a", "b"), predicted(large, "a", "b")).miou == 1


def test_sums_weight_pixels_not_images():
    same = overlap(predicted([[0, 0]], "a", "b"), predicted([[0, 0]], "a", "b"))
    other = overlap(predicted([[0, 1]], "a", "b"), predicted([[1, 1]], "a", "b"))
    both = summed([same, other])
    assert (both.images, both.pixels, both.pixel_agreement) == (2, 4, 3 / 4)
    assert both.per_class_iou == {"a": 2 / 3, "b": 1 / 2}


def test_window_keeps_the_latest_images_and_total_keeps_all():
    agreements = Agreements()
    bad = overlap(predicted([[0]], "a", "b"), predicted([[1]], "a", "b"))
    good = overlap(predicted([[0]], "a", "b"), predicted([[0]], "a", "b"))
    for one in [bad] + WINDOW_IMAGES * [good]:
        agreements.add(served("a", "b"), served("a", "b", version=2), one)
    [pair] = agreements.of("road")
    assert (pair.window.images, pair.window.miou) == (WINDOW_IMAGES, 1)
    assert (pair.total.images, pair.total.pixel_agreement) == (WINDOW_IMAGES + 1, WINDOW_IMAGES / (WINDOW_IMAGES + 1))


def test_oldest_pairs_are_forgotten():
    agreements = Agreements()
    one = overlap(predicted([[0]], "a", "b"), predicted([[0]], "a", "b"))
    for version in range(2, 30):
        agreements.add(served("a", "b"), served("a", "b", version=version), one)
    versions = [pair.second.version for pair in agreements.of("road")]
    assert versions == sorted(versions, reverse=True)
    assert versions[0] == 29
    assert len(versions) < 10
    assert agreements.of("other") == []
