"""What the tests of data share."""

import math

import numpy as np
import pytest

from trainer.data.sheet import GAP, MARGIN

_CAPTION_HEIGHT = 18


@pytest.fixture(scope="session")
def masks_on_sheet():
    """``masks_on_sheet(picture, images, height, width)``: where a preview of images of that size shows their masks.

    RGB [N, 3], all pixels in a row; the panels must be as wide as the images.
    """

    def crop(picture, images, height, width):
        cell = 3 * width + 4 * GAP
        row = height + GAP // 2 + _CAPTION_HEIGHT + 2 * GAP
        rows = math.ceil(images / 2)
        top = picture.shape[0] - MARGIN + 2 * GAP - rows * row
        panels = []
        for number in range(images):
            left = MARGIN + width + GAP + number % 2 * cell
            above = top + number // 2 * row
            panels.append(picture[above : above + height, left : left + width].reshape(-1, 3))
        return np.concatenate(panels)

    return crop
