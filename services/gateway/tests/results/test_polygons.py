"""Polygons along pixel edges."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as pycocotools

from gateway.results.polygons import polygons

# pycocotools' own warning with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SMALL = arrays.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.integers(0, 1))


def of_class_1(mask, tolerance=0):
    return polygons(mask, 0, tolerance).get(1, [])


def shoelace(ring):
    x, y = np.array(ring).T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


def filled(ring, shape):
    """bool [H,W]: the pixels whose centres are inside, by the even-odd rule, one edge of the ring at a time."""
    centre_x, centre_y = np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5
    inside = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
        if x0 == x1:
            rows = (min(y0, y1) < centre_y) & (centre_y < max(y0, y1))
            inside ^= rows[:, None] & (centre_x < x0)
    return inside


@settings(deadline=None)
@given(SMALL)
def test_filled_polygons_give_the_mask_back(mask):
    painted = np.zeros(mask.shape, bool)
    area = 0
    for outline, *holes in of_class_1(mask):
        for ring in (outline, *holes):
            painted ^= filled(ring, mask.shape)
        area += shoelace(outline) - sum(shoelace(hole) for hole in holes)
    assert np.array_equal(painted, mask)
    assert area == mask.sum()


@settings(deadline=None)
@given(SMALL)
def test_each_connected_part_is_one_polygon(mask):
    assert len(of_class_1(mask)) == cv2.connectedComponents(mask, connectivity=8)[0] - 1


@settings(deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.sampled_from([0, 1, 2, 255]))
)
def test_classes_are_outlined_independently(mask):
    found = polygons(mask, 255, 0)
    assert sorted(found) == sorted(set(mask.flat) - {255})
    for class_id, outlines in found.items():
        assert outlines == of_class_1((mask == class_id).astype(np.uint8))


def test_single_pixel_is_a_square():
    assert of_class_1(np.ones((1, 1), np.uint8)) == [[[[0, 0], [1, 0], [1, 1], [0, 1]]]]


def test_hole_belongs_to_the_part_around_it():
    mask = np.ones((5, 7), np.uint8)
    mask[1:4, 1:6] = 0
    mask[2, 3] = 1
    frame, dot = of_class_1(mask)
    assert [len(ring) for ring in frame] == [4, 4]
    assert dot == [[[3, 2], [4, 2], [4, 3], [3, 3]]]


def test_pycocotools_fills_a_polygon_to_the_same_mask():
    mask = cv2.circle(np.zeros((60, 80), np.uint8), (40, 30), 22, 1, -1)
    ((outline,),) = of_class_1(mask)
    (encoded,) = pycocotools.frPyObjects([np.ravel(outline).astype(float).tolist()], 60, 80)
    assert np.array_equal(pycocotools.decode(encoded), mask)


@pytest.mark.parametrize("tolerance", [1, 2.5])
def test_tolerance_removes_points_and_keeps_the_shape(tolerance):
    mask = cv2.circle(np.zeros((200, 200), np.uint8), (100, 100), 80, 1, -1)
    ((exact,),), ((fewer,),) = of_class_1(mask), of_class_1(mask, tolerance)
    assert len(fewer) < len(exact) / 3
    again = cv2.fillPoly(np.zeros_like(mask), [np.array(fewer)], 1)
    assert (again & mask).sum() / (again | mask).sum() > 0.95


def test_tolerance_never_shrinks_a_polygon_to_a_line():
    assert len(of_class_1(np.ones((1, 1), np.uint8), 50)[0][0]) == 4
