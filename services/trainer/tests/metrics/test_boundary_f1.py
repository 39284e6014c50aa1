"""Boundary F1: where outlines are, and how close they must be."""

import numpy as np
import pytest

from contract import IGNORE_ID
from trainer.metrics.boundary_f1 import BoundaryF1

SIDE = 200  # the diagonal is 282.8 pixels, and the paper's tolerance 2.1


def square(top, left, side=60, size=SIDE):
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 1.0), (2, 1.0)])
def test_outline_within_the_tolerance_is_right(shift, expected):
    f1 = BoundaryF1().of_image(square(50, 50), square(50, 50 + shift), classes=3)
    np.testing.assert_array_equal(f1, [expected, expected, np.nan])


def test_outline_beyond_the_tolerance_is_wrong_where_it_is_beyond():
    """Shifted sideways: the vertical sides are wrong, the horizontal ones right where they overlap."""
    f1 = BoundaryF1().of_image(square(50, 50), square(50, 60), classes=2)
    precision = recall = found_right(square(50, 50), square(50, 60))
    assert f1[1] == pytest.approx(2 * precision * recall / (precision + recall))
    assert 0.4 < f1[1] < 0.5


def found_right(truth, guess):
    """The fraction of the guess's outline near the truth's, point by point."""
    sides = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    outlines = [
        [(y, x) for y, x in np.argwhere(m) if not all(m[y + dy, x + dx] for dy, dx in sides)] for m in (guess, truth)
    ]
    assert len(outlines[0]) == 4 * 60 - 4
    points = np.array(outlines[1])
    near = [np.hypot(*(points - point).T).min() <= 0.0075 * np.hypot(SIDE, SIDE) for point in outlines[0]]
    return np.mean(near)


def test_tolerance_grows_with_the_image_and_is_at_least_a_pixel():
    assert BoundaryF1().pixels(1024, 2048) == pytest.approx(0.0075 * np.hypot(1024, 2048))
    assert BoundaryF1().pixels(10, 10) == 1
    assert BoundaryF1(0.1).of_image(square(50, 50), square(50, 70), 2)[1] == 1


def test_image_border_is_no_outline():
    left = np.zeros((20, 20), np.uint8)
    left[:, :10] = 1
    np.testing.assert_array_equal(BoundaryF1().of_image(left, left, 2), [1, 1])
    full = np.ones((20, 20), np.uint8)
    np.testing.assert_array_equal(BoundaryF1().of_image(full, full, 2), [np.nan, np.nan])


def test_missed_or_invented_class_scores_0():
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    for label, prediction in ((square(50, 50), nothing), (nothing, square(50, 50))):
        assert BoundaryF1().of_image(label, prediction, 2)[1] == 0


def test_outline_in_ignored_pixels_does_not_count():
    """A band of ignored pixels around the object: the outline inside it is neither right nor wrong."""
    label = square(50, 50)
    label[45:115, 45:115] = IGNORE_ID
    label[50:110, 50:110] = 1
    for grown in (0, 3):
        f1 = BoundaryF1().of_image(label, square(50 - grown, 50 - grown, 60 + 2 * grown), 2)
        np.testing.assert_array_equal(f1, [np.nan, np.nan])
    assert BoundaryF1().of_image(label, square(60, 60, 40), 2)[1] == 0
