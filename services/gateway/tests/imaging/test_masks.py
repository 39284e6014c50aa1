"""Masks: resizing, keeping, colouring, measuring."""

import numpy as np
import pytest

from contract import ClassInfo
from gateway.imaging import masks
from gateway.imaging.palette import Palette

PALETTE = Palette((ClassInfo(0, "background", (9, 9, 9)), ClassInfo(1, "car", (200, 100, 50))), 255)


@pytest.mark.parametrize(("source", "target"), [(48, 96), (48, 37), (7, 20), (64, 1080), (250, 3)])
def test_resize_takes_the_nearest_pixel_by_half_pixel_centres(source, target):
    mask = np.arange(source, dtype=np.uint8)[:, None].repeat(2, 1)
    taken = masks.resize(mask, target, 2)[:, 0].astype(int)
    centres = (np.arange(target) + 0.5) * source / target
    # Where a centre falls between two pixels, either is right.
    assert np.abs(taken + 0.5 - centres).max() <= 0.5 + 1e-3


def test_resize_makes_no_new_ids():
    mask = np.array([[0, 200], [255, 3]], np.uint8)
    assert set(np.unique(masks.resize(mask, 31, 17))) == {0, 3, 200, 255}


def test_keep_ignores_other_classes():
    assert masks.keep(np.array([[0, 1, 2, 255]], np.uint8), {1, 2}, 255).tolist() == [[255, 1, 2, 255]]


def test_confident_ignores_less_confident_pixels():
    mask, confidence = np.array([[1, 2, 3, 255]], np.uint8), np.array([[127, 128, 255, 255]], np.uint8)
    assert masks.confident(mask, confidence, 0.5, 255).tolist() == [[255, 2, 3, 255]]
    assert masks.confident(mask, confidence, 0, 255).tolist() == mask.tolist()
    assert masks.confident(mask, confidence, 1, 255).tolist() == [[255, 255, 3, 255]]


def test_colorize_gives_bgr():
    assert masks.colorize(np.array([[1, 255]], np.uint8), PALETTE).tolist() == [[[50, 100, 200], [0, 0, 0]]]


def test_overlay_leaves_background_and_ignored_pixels():
    photo = np.full((1, 3, 3), (10, 20, 30), np.uint8)
    painted = masks.overlay(photo, np.array([[0, 1, 255]], np.uint8), PALETTE, 0.5)
    assert painted[0, :, ::-1].tolist() == [[10, 20, 30], [105, 60, 40], [10, 20, 30]]


def test_overlay_paints_class_0_that_is_no_background():
    streets = Palette((ClassInfo(0, "road", (100, 100, 100)), ClassInfo(1, "car", (0, 0, 0))), 255)
    painted = masks.overlay(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8), streets, 1)
    assert painted.tolist() == [[[100, 100, 100]]]
