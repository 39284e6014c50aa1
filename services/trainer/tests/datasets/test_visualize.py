"""Masks in colour: classes in their own, ignored pixels striped, background left out of overlays."""

import numpy as np

from contract import ClassInfo
from trainer.datasets.visualize import colorize, contours, overlay

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "apple", (220, 40, 50)))


def test_classes_take_their_colours():
    np.testing.assert_array_equal(colorize(np.array([[0, 1]], np.uint8), CLASSES), [[(0, 0, 0), (220, 40, 50)]])


def test_what_is_no_class_is_striped():
    for value in (255, 7):
        colors = colorize(np.full((16, 16), value, np.uint8), CLASSES)
        assert {tuple(c) for c in colors.reshape(-1, 3)} == {(20, 20, 20), (235, 235, 235)}


def test_an_overlay_leaves_the_background_and_blends_the_rest():
    image = np.full((8, 8, 3), 100, np.uint8)
    mask = np.zeros((8, 8), np.uint8)
    mask[2, 3], mask[5, 5] = 1, 255
    painted = overlay(image, mask, CLASSES, alpha=0.5)
    assert tuple(painted[2, 3]) == (160, 70, 75)
    assert tuple(painted[5, 5]) in {(60, 60, 60), (168, 168, 168)}
    assert (painted[mask == 0] == 100).all()


def test_a_first_class_that_is_no_background_is_painted():
    road = (ClassInfo(0, "road", (200, 0, 0)),)
    painted = overlay(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8), road, alpha=1)
    assert tuple(painted[0, 0]) == (200, 0, 0)


def test_contours_follow_each_class_but_the_background():
    image = np.full((40, 40, 3), 100, np.uint8)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 1
    drawn = contours(image, mask, CLASSES)
    assert (image == 100).all()
    changed = (drawn != 100).any(-1)
    assert changed[10, 10:30].all()
    assert changed[10:30, 29].all()
    assert not changed[14:26, 14:26].any()
    assert not changed[:8].any()
    np.testing.assert_allclose(drawn[10, 20], (220, 40, 50), atol=30)  # its edges are smoothed
