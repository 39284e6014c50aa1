"""The picture of one image on which two masks differ: what a person looks at before any figure."""

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from contract import ModelCard

_RED = (255, 0, 0)


def side_by_side(image: Any, expected: Any, actual: Any, card: Optional[ModelCard]) -> bytes:
    """A PNG of four panels: the image, the two masks in their colours, and in red the pixels on which they differ.

    Args:
        image: uint8 [H, W, 3].
        expected: the source's mask, uint8; of another size where a model answers small masks.
        actual: the other's, of the same size.
        card: the classes' colours; without it they are made up.
    """
    palette = _palette(card)
    height, width = expected.shape
    with tf.device("/CPU:0"):
        small = tf.cast(tf.image.resize(image, [height, width]), tf.uint8).numpy()
        grey = np.repeat(small.mean(-1, keepdims=True) / 3, 3, axis=-1).astype(np.uint8)
        grey[expected != actual] = _RED
        panels = [small, palette[expected], palette[actual], grey]
        png: bytes = tf.io.encode_png(np.concatenate(panels, axis=1)).numpy()
    return png


def _palette(card: Optional[ModelCard]) -> Any:
    """uint8 [256, 3]; neighbouring ids of no card are far apart in colour."""
    ids = np.arange(256)
    palette = np.stack([ids * 67 % 256, ids * 131 % 256, ids * 197 % 256], axis=-1).astype(np.uint8)
    if card is not None:
        for known in card.classes:
            palette[known.id] = known.color
    return palette
