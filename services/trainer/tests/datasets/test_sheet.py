"""Pictures and words on paper."""

import numpy as np
import pytest

from trainer.datasets.sheet import INK, PAPER, beside, blank, stacked, text


def block(height, width, grey=9):
    return np.full((height, width, 3), grey, np.uint8)


def test_beside_leaves_paper_where_nothing_is():
    sheet = beside([block(2, 3), block(4, 1)], gap=2)
    assert sheet.shape == (4, 6, 3)
    assert (sheet == 9).all(axis=2).astype(int).tolist() == [[1, 1, 1, 0, 0, 1]] * 2 + [[0, 0, 0, 0, 0, 1]] * 2
    assert (sheet[3, 0] == PAPER).all()


def test_stacked_has_a_margin_all_around():
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


def test_text_that_is_too_long_loses_its_middle():
    line = text("a/very/long/folder/with_a_long_name_000001", 15, 120)
    assert line.shape[1] <= 120
    whole = text("a/very/long/folder/with_a_long_name_000001", 15, 1000)
    np.testing.assert_array_equal(line[:, :40], whole[:, :40])
    np.testing.assert_array_equal(line[:, -30:], whole[:, -30:])


def test_no_text_is_a_line_of_paper():
    assert (text("", 15, 100) == PAPER).all()
    assert (blank(2, 3) == PAPER).all()
