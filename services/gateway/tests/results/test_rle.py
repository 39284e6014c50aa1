"""Run-length encodings, read back as the labelling tools read them.

Here by readers written from the formats' descriptions; in an environment with CVAT's and Label Studio's own packages
by theirs (tests/labelling).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as pycocotools

from gateway.results import rle
from gateway.results.regions import regions

# pycocotools' own warning with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 1, 4, 255])
)
RNG = np.random.default_rng(8)
LARGE = [
    np.zeros((1, 1), np.uint8),
    np.full((300, 500), 1, np.uint8),  # one run longer than Label Studio's longest length
    np.kron(RNG.integers(0, 3, (6, 8), np.uint8), np.ones((80, 100), np.uint8)),
    RNG.integers(0, 4, (200, 331), np.uint8),
]


def read_cvat(points, shape):
    """CVAT's mask points: alternating counts of background and class within a box, then left, top, right, bottom."""
    *counts, left, top, right, bottom = points
    mask = np.zeros(shape, bool)
    box = mask[top : bottom + 1, left : right + 1]
    box[:] = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(box.shape)
    return mask


def read_brush(values, shape):
    """Label Studio's brush, bit by bit."""
    bits = "".join(f"{value:08b}" for value in values)
    at = 0

    def take(count):
        nonlocal at
        at += count
        return int(bits[at - count : at], 2)

    size, word = take(32), take(5) + 1
    widths = [take(4) + 1 for _ in range(4)]
    pixels = []
    while len(pixels) < size:
        repeated = take(1)
        length = take(widths[take(2)]) + 1
        pixels += [take(word)] * length if repeated else [take(word) for _ in range(length)]
    rgba = np.array(pixels).reshape(*shape, 4)
    assert (rgba == rgba[..., :1]).all()
    return rgba[..., 3] == 255


def check_all(mask):
    height, width = mask.shape
    coco = rle.coco(mask)
    for region in regions(mask, ignore_id=255):
        own = mask == region.class_id
        counts = {"size": [height, width], "counts": coco[region.class_id]}
        assert np.array_equal(pycocotools.decode(counts), own)
        assert pycocotools.encode(np.asfortranarray(own))["counts"].decode() == coco[region.class_id]
        assert np.array_equal(read_cvat(rle.cvat(region.runs, region.bounding_box, width), mask.shape), own)
        assert np.array_equal(read_brush(rle.label_studio(region.runs, mask.size), mask.shape), own)
        starts_and_lengths = np.array(rle.interleaved(region.runs)).reshape(-1, 2)
        assert np.array_equal(starts_and_lengths.sum(1), region.runs.ends)


@settings(deadline=None)
@given(SMALL)
def test_encodings_round_trip(mask):
    check_all(mask)


@pytest.mark.parametrize("mask", LARGE, ids=["one pixel", "one class", "blocks", "noise"])
def test_encodings_of_large_masks_round_trip(mask):
    check_all(mask)


def test_cvat_has_no_empty_run_except_the_first():
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:5] = 1
    (region,) = regions(mask, ignore_id=0)
    # As cvat_sdk.masks.encode_mask writes a full box: no background, then all of it.
    assert rle.cvat(region.runs, region.bounding_box, 6) == [0, 6, 2, 1, 4, 2]
