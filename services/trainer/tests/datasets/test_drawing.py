"""Masks in their classes' colours, with ignored pixels striped; and sheets of images and text."""

import numpy as np
import pytest

from contract import ClassInfo
from trainer.datasets.drawing import INK, PAPER, blank, colorize, contours, in_row, overlay, stacked, text

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "apple", (220, 40, 50)))


def test_classes_have_their_colours():
    np.testing.assert_array_equal(colorize(np.array([[0, 1]], np.uint8), CLASSES), [[(0, 0, 0), (220, 40, 50)]])


def test_values_that_are_no_class_are_striped():
    for value in (255, 7):
        colors = colorize(np.full((16, 16), value, np.uint8), CLASSES)
        assert {tuple(c) for c in colors.reshape(-1, 3)} == {(20, 20, 20), (235, 235, 235)}


def test_overlay_keeps_the_background_and_blends_the_rest():
    image = np.full((8, 8, 3), 100, np.uint8)
    mask = np.zeros((8, 8), np.uint8)
    mask[2, 3], mask[5, 5] = 1, 255
    painted = overlay(image, mask, CLASSES, alpha=0.5)
    assert tuple(painted[2, 3]) == (160, 70, 75)
    assert tuple(painted[5, 5]) in {(60, 60, 60), (168, 168, 168)}
    assert (painted[mask == 0] == 100).all()


def test_first_class_of_another_name_than_background_is_painted():
    road = (ClassInfo(0, "road", (200, 0, 0)),)
    painted = overlay(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8), road, alpha=1)
    assert tuple(painted[0, 0]) == (200, 0, 0)


def test_contours_follow_each_class_but_background():
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


def block(height, width, grey=9):
    return np.full((height, width, 3), grey, np.uint8)


def test_row_is_padded_with_paper():
    sheet = in_row([block(2, 3), block(4, 1)], gap=2)
    assert sheet.shape == (4, 6, 3)
    assert (sheet == 9).all(axis=2).astype(int).tolist() == [[1, 1, 1, 0, 0, 1]] * 2 + [[0, 0, 0, 0, 0, 1]] * 2
    assert (sheet[3, 0] == PAPER).all()


def test_stack_has_a_margin_on_all_sides():
    sheet = stacked([block(1, 2), block(1, 1)], gap=1, margin=1)
    assert (sheet == 9).all(axis=2).astype(int).tolist() == [
        [0, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]


@pytest.mark.parametrize("words", ["road", "äpple", "дорога", "道路", "Ωδός"])
def test_text_of_any_script_is_drawn(words):
    line = text(words, 15, 300)
    assert line.shape[0] == 21
    assert (line == INK).all(axis=2).any()
    assert line.shape[1] < text(words * 2, 15, 300).shape[1]


def test_long_text_loses_its_middle():
    line = text("a/very/long/folder/with_a_long_name_000001", 15, 120)
    assert line.shape[1] <= 120
    whole = text("a/very/long/folder/with_a_long_name_000001", 15, 1000)
    np.testing.assert_array_equal(line[:, :40], whole[:, :40])
    np.testing.assert_array_equal(line[:, -30:], whole[:, -30:])


def test_empty_text_is_a_line_of_paper():
    assert (text("", 15, 100) == PAPER).all()
    assert (blank(2, 3) == PAPER).all()
