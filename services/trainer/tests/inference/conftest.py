"""A network whose every answer is known."""

import numpy as np
import pytest

from contract import ClassInfo, ModelCard
from trainer.inference.segmenter import Segmenter

COLORS = ((20, 20, 20), (230, 40, 40), (40, 230, 40), (40, 40, 230))


class ColourNetwork:
    """Each pixel's class is the nearest of four colours, without context; it records the sizes of its batches."""

    def __init__(self, height, width, pull=None):
        classes = tuple(ClassInfo(number, f"colour {number}", color) for number, color in enumerate(COLORS))
        self.card = ModelCard("colours", "none", height, width, classes)
        self.batches = []
        self.pull = 0 if pull is None else pull  # added to the logits [H, W, C]: what depends on the position

    def probabilities(self, images):
        assert images.dtype == np.uint8
        assert images.shape[1:] == (self.card.input_height, self.card.input_width, 3)
        self.batches.append(len(images))
        distance = np.linalg.norm(images[..., None, :].astype(np.float32) - np.array(COLORS, np.float32), axis=-1)
        logits = -distance / 40 + self.pull
        exponential = np.exp(logits - logits.max(-1, keepdims=True))
        return (exponential / exponential.sum(-1, keepdims=True)).astype(np.float32)

    def masks(self, images):
        return self.probabilities(images).argmax(-1).astype(np.uint8)

    @property
    def segmenter(self):
        return Segmenter("colours", self.card, self.masks, self.probabilities, lambda: None)


@pytest.fixture
def colour_network():
    """``colour_network(height, width)``: a network of that input size."""
    return ColourNetwork


@pytest.fixture
def paint():
    """``paint(mask)``: the image whose right answer is ``mask``."""
    return lambda mask: np.array(COLORS, np.uint8)[mask]
