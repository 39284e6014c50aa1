"""Holes, pasted objects, other backgrounds."""

import cv2
import numpy as np
import pytest

from contract import IGNORE_ID
from trainer.augmentation.operations import apply, create_operation
from trainer.augmentation.operations.view import FILL
from trainer.datasets.pair import Pair
from trainer.errors import UserError

EMPTY = Pair(np.full((64, 80, 3), 10, np.uint8), np.zeros((64, 80), np.uint8))


def donor(instances=False):
    """Two touching squares of class 2, one red and one green; on request as two instances."""
    image, mask = np.full((64, 80, 3), 99, np.uint8), np.zeros((64, 80), np.uint8)
    numbers = np.zeros((64, 80), np.int32)
    for number, (left, color) in enumerate([(20, (255, 0, 0)), (36, (0, 255, 0))], start=1):
        image[20:36, left : left + 16], mask[20:36, left : left + 16] = color, 2
        numbers[20:36, left : left + 16] = number
    return Pair(image, mask, numbers if instances else None)


def after(name, pair=EMPTY, seed=0, donors=None, **options):
    operation = create_operation(name, probability=1, **options)
    return apply([operation], pair, np.random.default_rng(seed), donors=donors)


class TestCutout:
    def test_holes_are_filled_and_ignored(self):
        pair = after("cutout", size=0.5)
        hole = pair.mask == IGNORE_ID
        assert 0 < hole.mean() < 0.75
        assert (pair.image[hole] == FILL).all()
        assert (pair.image[~hole] == 10).all()

    def test_labels_are_kept_with_ignore_false(self):
        pair = after("cutout", ignore=False)
        assert (pair.image == FILL).all(axis=2).any()
        assert not pair.mask.any()


class TestCopyPaste:
    @pytest.mark.parametrize("seed", range(6))
    def test_only_the_object_s_pixels_are_pasted(self, seed):
        pair = after("copy_paste", seed=seed, donors=lambda rng: donor(), objects=1, scale=[1, 1])
        pasted = pair.mask == 2
        assert 0 < pasted.sum() <= 512
        assert set(map(tuple, pair.image[pasted])) <= {(255, 0, 0), (0, 255, 0)}
        assert (pair.image[~pasted] == 10).all()

    def test_touching_instances_are_pasted_separately(self):
        for seed in range(6):
            pair = after("copy_paste", seed=seed, donors=lambda rng: donor(instances=True), objects=1, scale=[1, 1])
            assert len(set(map(tuple, pair.image[pair.mask == 2]))) == 1

    def test_scale_is_relative_to_the_canvas(self):
        pair = after("copy_paste", seed=3, donors=lambda rng: donor(), objects=1, scale=[0.5, 0.5])
        assert 0 < (pair.mask == 2).sum() <= 128

    @pytest.mark.parametrize("options", [{"classes": [1]}, {"smallest": 0.5}, {"background": 2, "classes": [2]}])
    def test_only_given_classes_are_pasted(self, options):
        assert not after("copy_paste", donors=lambda rng: donor(), **options).mask.any()

    def test_ignored_pixels_are_never_pasted(self):
        ignored = Pair(donor().image, np.where(donor().mask == 2, np.uint8(IGNORE_ID), np.uint8(0)))
        assert not after("copy_paste", donors=lambda rng: ignored).mask.any()

    def test_pair_is_unchanged_without_donors(self):
        assert not after("copy_paste").mask.any()


class TestReplaceBackground:
    def test_background_pixels_are_replaced_and_objects_kept(self, tmp_path):
        cv2.imwrite(str(tmp_path / "blue.png"), np.full((30, 300, 3), (200, 0, 0), np.uint8))
        pair = after("replace_background", pair=donor(), folder=tmp_path)
        behind = donor().mask == 0
        assert (pair.image[behind] == (0, 0, 200)).all()
        np.testing.assert_array_equal(pair.image[~behind], donor().image[~behind])
        np.testing.assert_array_equal(pair.mask, donor().mask)

    def test_folder_without_images_is_a_user_error(self, tmp_path):
        with pytest.raises(UserError, match="contains no images; expected a folder of JPEG or PNG files"):
            after("replace_background", folder=tmp_path)

    def test_undecodable_background_is_named(self, tmp_path):
        (tmp_path / "broken.jpg").write_bytes(b"no")
        with pytest.raises(UserError, match=r"broken\.jpg: cannot be decoded as an image"):
            after("replace_background", folder=tmp_path)
