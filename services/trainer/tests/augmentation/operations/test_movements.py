"""Movements: the new positions of the pixels."""

import numpy as np
import pytest

from contract import IGNORE_ID
from trainer.augmentation.operations import apply, create_operation
from trainer.datasets.pair import Pair

MASK = np.arange(1, 13, dtype=np.uint8).reshape(3, 4).repeat(16, 0).repeat(16, 1)
PAIR = Pair(np.repeat(MASK[..., None] * 20, 3, axis=2), MASK)


def mask_after(*operations, seed=0, pair=PAIR, size=None):
    created = [create_operation(name, **options) for name, options in operations]
    return apply(created, pair, np.random.default_rng(seed), size).mask


class TestFlip:
    def test_left_and_right(self):
        np.testing.assert_array_equal(mask_after(("flip", {"horizontal": 1})), MASK[:, ::-1])

    def test_top_and_bottom(self):
        np.testing.assert_array_equal(mask_after(("flip", {"horizontal": 0, "vertical": 1})), MASK[::-1])

    def test_about_half_are_flipped(self):
        flipped = [np.array_equal(mask_after(("flip", {}), seed=seed), MASK[:, ::-1]) for seed in range(60)]
        assert 15 < sum(flipped) < 45


class TestRandomScale:
    @pytest.mark.parametrize("factor", [0.5, 2])
    def test_areas_grow_with_the_square(self, factor):
        scaled = mask_after(("random_scale", {"range": [factor, factor]}))
        assert scaled.shape == (48 * factor, 64 * factor)
        assert set(np.bincount(scaled.ravel())[1:]) == {256 * factor**2}

    def test_draws_factors_from_its_range(self):
        heights = [mask_after(("random_scale", {"range": [0.5, 2]}), seed=seed).shape[0] for seed in range(40)]
        assert 24 <= min(heights) < 40
        assert 70 < max(heights) <= 96


class TestCrop:
    def test_crop_of_a_smaller_image_ignores_the_rest(self):
        corners = set()
        for seed in range(8):
            cropped = mask_after(("random_scale", {"range": [0.5, 0.5]}), ("crop", {}), seed=seed)
            assert cropped.shape == MASK.shape
            np.testing.assert_array_equal(
                np.bincount(cropped.ravel(), minlength=256)[[*range(13), IGNORE_ID]],
                [0] + [64] * 12 + [MASK.size * 3 // 4],
            )
            corners.add(tuple(np.argwhere(cropped != IGNORE_ID)[0]))
        assert len(corners) > 4

    def test_crop_of_a_larger_image_ignores_nothing(self):
        cropped = [mask_after(("random_scale", {"range": [2, 2]}), ("crop", {}), seed=s) for s in range(8)]
        assert all((c != IGNORE_ID).all() and c.shape == MASK.shape for c in cropped)
        assert len({c.tobytes() for c in cropped}) == 8

    def test_crop_avoids_a_dominating_class(self):
        """A small object in a large background: with a cap the crops have more of it."""
        mask = np.zeros((128, 128), np.uint8)
        mask[40:72, 40:72] = 1
        pair = Pair(np.zeros((128, 128, 3), np.uint8), mask)

        def share(cap):
            crop = ("crop", {"max_class_share": cap})
            crops = [mask_after(("random_scale", {"range": [4, 4]}), crop, seed=seed, pair=pair) for seed in range(20)]
            return np.mean([max(np.bincount(c.ravel())) / c.size < 1 for c in crops])

        assert share(0.75) > share(1) + 0.2


class TestRotate:
    def test_rotates_about_the_centre_and_ignores_outside(self):
        turned = mask_after(("rotate", {"degrees": 45}), seed=2)
        assert turned[24, 32] == MASK[24, 32]
        assert (turned[0, 0], turned[-1, -1]) == (IGNORE_ID, IGNORE_ID)

    def test_rotation_after_a_crop_shows_the_image_beyond_it(self):
        turned = mask_after(
            ("random_scale", {"range": [3, 3]}), ("crop", {}), ("rotate", {"degrees": 10}), pair=PAIR, seed=3
        )
        assert (turned != IGNORE_ID).all()


def test_shift_moves_by_at_most_its_fraction():
    shifted = [mask_after(("shift", {"fraction": 0.25}), seed=seed) for seed in range(20)]
    ignored = [(s == IGNORE_ID).all(axis=0).sum() for s in shifted]
    assert 0 < max(ignored) <= 17
    assert len(set(ignored)) > 5
