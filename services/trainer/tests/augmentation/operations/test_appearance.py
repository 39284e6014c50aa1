"""Light, blur and JPEG change the image as given, and never the mask."""

import cv2
import numpy as np
import pytest

from trainer.augmentation.operations import apply, create_operation
from trainer.datasets.pair import Pair

PHOTO = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8), (0, 0), 1)
STILL = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0}


def image_after(name, seed=0, image=PHOTO, **options):
    mask = np.zeros(image.shape[:2], np.uint8)
    operation = create_operation(name, probability=1, **options)
    pair = apply([operation], Pair(image, mask), np.random.default_rng(seed))
    assert not pair.mask.any()
    return pair.image


class TestPhotometric:
    def test_without_bounds_it_changes_nothing(self):
        assert np.abs(image_after("photometric", **STILL).astype(int) - PHOTO).max() <= 1

    def test_brightness_moves_the_mean_by_up_to_its_fraction_of_white(self):
        moved = [image_after("photometric", s, **STILL | {"brightness": 0.1}).mean() - PHOTO.mean() for s in range(20)]
        assert -26 < min(moved) < -10
        assert 10 < max(moved) < 26

    def test_contrast_keeps_the_mean_and_moves_the_spread(self):
        changed = [image_after("photometric", seed, **STILL | {"contrast": 0.4}) for seed in range(20)]
        assert [c.mean() for c in changed] == pytest.approx([PHOTO.mean()] * 20, abs=2)
        spreads = [c.std() / PHOTO.std() for c in changed]
        assert 0.6 <= min(spreads) < 0.8
        assert 1.2 < max(spreads) <= 1.4

    def test_no_saturation_gives_a_grey_image(self):
        red = np.tile(np.array([200, 30, 60], np.uint8), (8, 8, 1))
        spreads = [np.ptp(image_after("photometric", s, red, **STILL | {"saturation": 1})[0, 0]) for s in range(40)]
        assert min(spreads) < 40

    def test_hue_keeps_greys_and_luma(self):
        grey = np.full((8, 8, 3), 117, np.uint8)
        assert np.abs(image_after("photometric", 3, grey, **STILL | {"hue": 0.5}).astype(int) - 117).max() <= 1
        pale = np.tile(np.array([120, 100, 90], np.uint8), (8, 8, 1))
        turned = image_after("photometric", 3, pale, **STILL | {"hue": 0.5})
        luma = np.array([0.299, 0.587, 0.114])
        assert turned[0, 0] @ luma == pytest.approx(pale[0, 0] @ luma, abs=1.5)
        assert (turned != pale).any()


def test_blur_smooths():
    def roughness(image):
        return np.abs(np.diff(image.astype(int), axis=1)).mean()

    assert roughness(image_after("blur", sigma=[2, 2])) < 0.5 * roughness(PHOTO)


def test_jpeg_of_low_quality_is_further_from_the_image():
    def error(quality):
        return np.abs(image_after("jpeg", quality=[quality, quality]).astype(int) - PHOTO).mean()

    assert 0 < error(95) < error(10) < 60


def test_jpeg_keeps_red_red():
    red = np.tile(np.array([200, 30, 60], np.uint8), (16, 16, 1))
    assert np.abs(image_after("jpeg", image=red, quality=[90, 90]).astype(int) - red).max() < 6


@pytest.mark.parametrize("quality", [[0.5, 50], [40, 200]])
def test_invalid_jpeg_quality_is_an_error(quality):
    with pytest.raises(ValueError, match="expected qualities of 1 to 100"):
        create_operation("jpeg", quality=quality)
