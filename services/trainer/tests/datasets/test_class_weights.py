"""Class weights: the two papers' formulas on small counts."""

import math

import numpy as np
import pytest

from trainer.datasets.class_weights import CLASS_WEIGHTS, enet, median_frequency

# Two images of 100 pixels: background in both, a road in one, a rare bolt in the other, and a class in neither.
COUNTS = np.array([[60, 40, 0, 0], [98, 0, 2, 0]])


def test_median_frequency_counts_only_images_with_the_class():
    frequency = [158 / 200, 40 / 100, 2 / 100]
    median = 0.4
    np.testing.assert_allclose(median_frequency(COUNTS), [*(median / f for f in frequency), 1.0])


def test_enet_uses_the_logarithm_of_the_fraction_of_all_pixels():
    share = [158 / 200, 40 / 200, 2 / 200]
    np.testing.assert_allclose(enet(COUNTS), [*(1 / math.log(1.02 + p) for p in share), 1.0])


def test_enet_s_range_is_the_paper_s():
    weights = enet(np.array([[10**9, 1]]))
    np.testing.assert_allclose(weights, [1.4, 50.5], atol=0.03)


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_rarer_classes_have_larger_weights(name):
    background, road, bolt, _ = CLASS_WEIGHTS[name](COUNTS)
    assert background < road < bolt


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_balanced_classes_have_equal_weights(name):
    assert len(set(CLASS_WEIGHTS[name](np.full((3, 4), 7)))) == 1


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
@pytest.mark.parametrize("images", [0, 2])
def test_weights_without_any_pixel_are_one(name, images):
    assert CLASS_WEIGHTS[name](np.zeros((images, 3), np.int64)).tolist() == [1, 1, 1]
