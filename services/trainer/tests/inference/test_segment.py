"""Segmentation of images of any size, with and without test-time augmentation."""

import dataclasses
from itertools import count

import numpy as np
import pytest

from trainer.errors import UserError
from trainer.inference.segment import batches, probabilities, resized, segment
from trainer.inference.tta import TestTimeAugmentation

SIZES = [(16, 24), (40, 61), (17, 24), (5, 90), (7, 9)]


@pytest.fixture
def blocks():
    """``blocks(height, width)``: class ids in squares of 4 pixels."""

    def draw(height, width):
        coarse = np.random.default_rng(height * width).integers(0, 4, (height // 4 + 1, width // 4 + 1))
        return np.kron(coarse, np.ones((4, 4), np.uint8))[:height, :width].astype(np.uint8)

    return draw


class TestWithoutAugmentation:
    def test_masks_have_the_size_of_their_images(self, colour_network, paint):
        network = colour_network(16, 24)
        masks = [np.kron([[0, 1], [2, 3]], np.ones(size, np.uint8)).astype(np.uint8) for size in [(8, 12), (16, 6)]]
        found = segment(network.segmenter, [paint(mask) for mask in masks])
        for mask, answer in zip(masks, found, strict=True):
            assert answer.dtype == np.uint8
            assert answer.shape == mask.shape
            assert (answer == mask).mean() > 0.9  # but for what is blended along the borders

    def test_images_are_segmented_in_batches_of_at_most_batch_size(self, colour_network):
        network = colour_network(16, 24)
        assert len(segment(network.segmenter, [np.zeros((9, 9, 3), np.uint8)] * 7, batch_size=3)) == 7
        assert network.batches == [3, 3, 1]


class TestSlidingWindow:
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("overlap", [0, 1 / 3, 0.8])
    def test_covers_every_pixel_at_the_resolution_of_the_image(self, colour_network, paint, blocks, size, overlap):
        mask = blocks(*size)
        tta = TestTimeAugmentation(window=True, overlap=overlap)
        np.testing.assert_array_equal(segment(colour_network(16, 24).segmenter, [paint(mask)], tta), [mask])

    def test_an_image_of_the_input_size_is_one_window(self, colour_network):
        network = colour_network(16, 24)
        segment(network.segmenter, [np.zeros((16, 24, 3), np.uint8)], TestTimeAugmentation(window=True))
        assert network.batches == [1]

    def test_windows_are_segmented_in_batches(self, colour_network):
        network = colour_network(16, 24)
        segment(
            network.segmenter,
            [np.zeros((32, 48, 3), np.uint8)],
            TestTimeAugmentation(window=True, overlap=0),
            batch_size=3,
        )
        assert network.batches == [3, 1]


class TestFlips:
    @pytest.mark.parametrize("flips", [["horizontally"], ["vertically"], ["horizontally", "vertically", "both ways"]])
    def test_masks_are_flipped_back(self, colour_network, paint, blocks, flips):
        mask = blocks(16, 24)
        np.testing.assert_array_equal(
            segment(colour_network(16, 24).segmenter, [paint(mask)], TestTimeAugmentation(flips)), [mask]
        )

    def test_average_out_a_preference_for_one_side(self, colour_network):
        pull = np.zeros((16, 24, 4), np.float32)
        pull[:, :12, 1] = 50
        segmenter = colour_network(16, 24, pull).segmenter
        grey = np.full((16, 24, 3), 20, np.uint8)
        once, both = (
            probabilities(segmenter, grey, TestTimeAugmentation(flips))[..., 1] for flips in ([], ["horizontally"])
        )
        assert (once[:, :12] > 0.99).all()
        assert (once[:, 12:] < 0.01).all()
        np.testing.assert_allclose(both, 0.5, atol=0.01)


class TestScales:
    @pytest.mark.parametrize("window", [False, True])
    def test_are_averaged_at_the_size_of_the_image(self, colour_network, paint, window):
        mask = np.kron([[0, 1], [2, 3]], np.ones((16, 24), np.uint8)).astype(np.uint8)
        segmenter = colour_network(16, 24).segmenter
        tta = TestTimeAugmentation(["horizontally"], (0.5, 1.0, 1.75), window)
        answer = probabilities(segmenter, paint(mask), tta)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer.sum(-1), 1, atol=1e-5)
        assert (answer.argmax(-1) == mask).mean() > 0.9

    def test_have_equal_weights(self, colour_network):
        segmenter = colour_network(16, 24).segmenter
        image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
        alone = [probabilities(segmenter, image, TestTimeAugmentation(scales=(scale,))) for scale in (1.0, 2.0)]
        together = probabilities(segmenter, image, TestTimeAugmentation(scales=(1.0, 2.0)))
        np.testing.assert_allclose(together, (alone[0] + alone[1]) / 2, atol=1e-6)


def test_more_channels_than_opencv_resizes_at_once():
    planes = np.random.default_rng(0).random((6, 8, 150), np.float32)
    whole = resized(planes, (12, 20))
    assert whole.shape == (12, 20, 150)
    np.testing.assert_allclose(whole[..., 149:], resized(planes[..., 149:], (12, 20)), atol=1e-6)


def test_augmentation_of_a_model_without_probabilities_is_a_user_error(colour_network):
    segmenter = dataclasses.replace(colour_network(16, 24).segmenter, probabilities=None)
    image = np.zeros((16, 24, 3), np.uint8)
    assert segment(segmenter, [image])[0].shape == (16, 24)
    with pytest.raises(UserError, match="colours gives no probabilities, only masks: leave out flips"):
        segment(segmenter, [image], TestTimeAugmentation(["horizontally"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": ()}, "--scales : expected factors from 0.1 to 8"),
        ({"scales": (1.0, 20.0)}, "--scales 1 20: expected factors from 0.1 to 8"),
        ({"overlap": 1.0}, "--overlap 1: expected a fraction of the window from 0 to 0.9"),
    ],
)
def test_invalid_augmentation_is_a_user_error(options, message):
    with pytest.raises(UserError, match=message):
        TestTimeAugmentation(**options)


def test_augmentation_as_text():
    assert str(TestTimeAugmentation()) == "once, stretched to the input size"
    several = TestTimeAugmentation(["horizontally"], (0.75, 1.0), window=True, overlap=0.5)
    assert str(several) == "mirrored horizontally, at scales 0.75, 1, through a sliding window with an overlap of 50%"


def test_last_batch_can_be_smaller():
    assert list(batches("abcdefg", 3)) == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert list(batches([], 3)) == []


def test_batches_take_items_as_they_are_needed():
    assert next(batches(count(), 2)) == [0, 1]
