"""The drawing of the image with the lowest agreement; the comparison itself is in test_pipeline."""

import dataclasses

import numpy as np
import tensorflow as tf

from contract import ClassInfo
from converter.proof.comparison import draw_difference

RED = [255, 0, 0]


def test_draws_image_masks_and_differences_draw_difference(card) -> None:
    card = dataclasses.replace(card, classes=(ClassInfo(0, "a", (9, 8, 7)), ClassInfo(1, "b", (200, 100, 50))))
    image = np.full((2, 3, 3), 90, np.uint8)
    expected = np.array([[0, 1, 1], [0, 0, 0]], np.uint8)
    actual = np.array([[0, 1, 0], [0, 0, 0]], np.uint8)
    panels = tf.io.decode_png(draw_difference(image, expected, actual, card)).numpy()
    assert panels.shape == (2, 12, 3)
    shown, was, became, differs = np.split(panels, 4, axis=1)
    np.testing.assert_array_equal(shown, image)
    assert (was[0, 2].tolist(), became[0, 2].tolist()) == ([200, 100, 50], [9, 8, 7])
    assert differs[0, 2].tolist() == RED
    assert (differs.reshape(-1, 3)[[0, 1, 3, 4, 5]] == 30).all()


def test_classes_without_a_card_get_distinct_colours() -> None:
    ids = np.arange(256, dtype=np.uint8)[None]
    panels = tf.io.decode_png(draw_difference(np.zeros((1, 256, 3), np.uint8), ids, ids, None)).numpy()
    assert len(np.unique(panels[0, 256:512], axis=0)) == 256
