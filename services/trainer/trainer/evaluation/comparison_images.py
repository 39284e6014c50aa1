"""An image, its label, its prediction and the errors, side by side."""

from collections.abc import Sequence

import cv2
import numpy as np

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.drawing import GAP, Image, colorize, in_row, overlay, stacked, text
from trainer.ignore_index import counted

_WRONG = (225, 40, 40)
_DIMMED, _LIFTED = 0.35, 150  # a pale grey image, on which red shows wherever it lies
_CAPTION_SIZE = 15

Panels = dict[str, Image]


def compare(image: Image, label: Image, mask: Image, classes: Sequence[ClassInfo], max_width: int = 640) -> Panels:
    """RGB pictures by title, at most ``max_width`` pixels wide; ignored pixels are striped.

    Args:
        image: RGB uint8 [H, W, 3].
        label, mask: class ids uint8 [H, W].
        classes: whose colours to take.
        max_width: pixels.
    """
    valid = counted(label, IGNORE_ID)
    errors = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] * _DIMMED + _LIFTED, 3, axis=-1)
    errors = errors.astype(np.uint8)
    errors[valid & (label != mask)] = _WRONG
    errors[~valid] = colorize(label, classes)[~valid]
    panels = {
        "image": image,
        "label": overlay(image, label, classes, 0.75),
        "prediction": overlay(image, mask, classes, 0.75),
        "errors": errors,
    }
    height, width = image.shape[:2]
    if width <= max_width:
        return panels
    size = max_width, max(1, round(height * max_width / width))
    return {t: np.asarray(cv2.resize(p, size, interpolation=cv2.INTER_AREA), np.uint8) for t, p in panels.items()}


def side_by_side(panels: Panels) -> Image:
    """All panels in one picture, each under its title."""
    return in_row(
        [stacked([text(title, _CAPTION_SIZE, panel.shape[1]), panel], GAP // 2) for title, panel in panels.items()], GAP
    )


def jpeg(picture: Image) -> bytes:
    """The JPEG of an RGB picture."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
