"""A view is resampled once for any number of movements, with the right pixels, and ignored outside."""

import numpy as np
import pytest

from contract import IGNORE_ID
from trainer.augmentation.operations.view import FILL, View, scaling, shifting, turning
from trainer.datasets.pair import Pair

MASK = np.arange(12, dtype=np.uint8).reshape(3, 4)
PAIR = Pair(np.repeat(MASK[..., None] * 20, 3, axis=2), MASK)


def test_whole_view_at_its_own_size_is_the_pair():
    drawn = View.of(PAIR, 3, 4).draw()
    np.testing.assert_array_equal(drawn.image, PAIR.image)
    np.testing.assert_array_equal(drawn.mask, MASK)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (shifting(1, 0), [[1, 2, 3, 255], [5, 6, 7, 255], [9, 10, 11, 255]]),
        (shifting(-1, 1), [[255, 4, 5, 6], [255, 8, 9, 10], [255, 255, 255, 255]]),
        (shifting(4, 0) @ scaling(-1, 1), MASK[:, ::-1]),
        (shifting(2, 1.5) @ turning(np.pi) @ shifting(-2, -1.5), MASK[::-1, ::-1]),
    ],
    ids=["left", "down and right", "mirrored", "half a turn"],
)
def test_whole_pixels_move_exactly_and_outside_is_ignored(matrix, expected):
    drawn = View.of(PAIR, 3, 4).through(matrix).draw()
    np.testing.assert_array_equal(drawn.mask, expected)
    inside = drawn.mask != IGNORE_ID
    np.testing.assert_array_equal(drawn.image[inside][:, 0], drawn.mask[inside] * 20)
    assert (drawn.image[~inside] == FILL).all()


def test_movements_are_combined_into_one_warp():
    """Moving away and back changes nothing, where two warps would have lost the edge."""
    view = View.of(PAIR, 3, 4).through(shifting(2, 1)).through(turning(0.3)).through(turning(-0.3))
    np.testing.assert_array_equal(view.through(shifting(-2, -1)).draw().mask, MASK)


def test_view_inside_the_source_is_not_mixed_with_the_fill():
    white = Pair(np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8), np.uint8))
    enlarged = View.of(white, 16, 16).through(shifting(0, 4), 12, 16)
    assert (enlarged.draw().image == 255).all()


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.7, 3.0])
def test_stretched_and_warped_views_agree(factor):
    """The stretch is OpenCV's resize, everything else its warp: the same half-pixel centres."""
    random = np.random.default_rng(0)
    smooth = np.kron(random.integers(0, 256, (6, 6)), np.ones((8, 8))).astype(np.uint8)
    pair = Pair(np.repeat(smooth[..., None], 3, axis=2), smooth)
    size = round(48 * factor)
    stretched = View.of(pair, size, size)
    warped = stretched.through(turning(1e-6))
    assert np.abs(stretched.draw_image().astype(int) - warped.draw_image())[1:-1, 1:-1].mean() < 1
    assert (stretched.draw_mask() == warped.draw_mask()).mean() > 0.95
