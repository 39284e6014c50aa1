"""Outlines, where they are and how near they must be."""

import numpy as np
import pytest

from contract import IGNORE_ID
from trainer.metrics.boundary_f1 import Boundary

SIDE = 200  # the diagonal is 282.8 pixels, and the paper's tolerance 2.1


def square(top, left, side=60, size=SIDE):
    mask = np.zeros((size, size), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


@pytest.mark.parametrize(("shift", "expected"), [(0, 1.0), (1, 1.0), (2, 1.0)])
def test_an_outline_within_the_tolerance_is_right(shift, expected):
    f1 = Boundary().f1(square(50, 50), square(50, 50 + shift), classes=3)
    np.testing.assert_array_equal(f1, [expected, expected, np.nan])


def test_one_beyond_it_is_wrong_where_it_is_beyond():
    """Shifted sideways: the vertical sides are wrong, the horizontal ones right where they overlap."""
    f1 = Boundary().f1(square(50, 50), square(50, 60), classes=2)
    precision = recall = found_right(square(50, 50), square(50, 60))
    assert f1[1] == pytest.approx(2 * precision * recall / (precision + recall))
    assert 0.4 < f1[1] < 0.5


def found_right(truth, guess):
    """The share of the guess's outline near the truth's, point by point."""
    sides = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    outlines = [
        [(y, x) for y, x in np.argwhere(m) if not all(m[y + dy, x + dx] for dy, dx in sides)] for m in (guess, truth)
    ]
    assert len(outlines[0]) == 4 * 60 - 4
    points = np.array(outlines[1])
    near = [np.hypot(*(points - point).T).min() <= 0.0075 * np.hypot(SIDE, SIDE) for point in outlines[0]]
    return np.mean(near)


def test_the_tolerance_grows_with_the_image_and_is_a_pixel_at_least():
    assert Boundary().tolerance(1024, 2048) == pytest.approx(0.0075 * np.hypot(1024, 2048))
    assert Boundary().tolerance(10, 10) == 1
    assert Boundary(0.1).f1(square(50, 50), square(50, 70), 2)[1] == 1


def test_the_image_s_own_border_is_no_outline():
    left = np.zeros((20, 20), np.uint8)
    left[:, :10] = 1
    np.testing.assert_array_equal(Boundary().f1(left, left, 2), [1, 1])
    full = np.ones((20, 20), np.uint8)
    np.testing.assert_array_equal(Boundary().f1(full, full, 2), [np.nan, np.nan])


def test_a_class_that_was_missed_or_made_up_scores_0():
    nothing = np.zeros((SIDE, SIDE), np.uint8)
    for label, prediction in ((square(50, 50), nothing), (nothing, square(50, 50))):
        assert Boundary().f1(label, prediction, 2)[1] == 0


def test_nothing_is_asked_of_ignored_pixels():
    """A band of ignored pixels around the object: whatever the outline does in it is neither right nor wrong."""
    label = square(50, 50)
    label[45:115, 45:115] = IGNORE_ID
    label[50:110, 50:110] = 1
    for grown in (0, 3):
        f1 = Boundary().f1(label, square(50 - grown, 50 - grown, 60 + 2 * grown), 2)
        np.testing.assert_array_equal(f1, [np.nan, np.nan])
    assert Boundary().f1(label, square(60, 60, 40), 2)[1] == 0
