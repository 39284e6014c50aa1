"""Drawing: masks in their classes' colours, alone or over the image, and sheets of images and text.

Images are RGB uint8 [H, W, 3].
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from contract import ClassInfo
from trainer.datasets.class_colors import BACKGROUND

Image = NDArray[np.uint8]

GAP, MARGIN = 8, 20
PAPER = (255, 255, 255)
INK = (30, 30, 30)

_ELLIPSIS = "…"
_WEIGHT = 400  # font weight as in CSS

_STRIPE_PIXELS = 4
_PIXELS_PER_THICKNESS = 200  # an outline is the image's shorter side / 200 thick
_STRIPES = np.array([[20, 20, 20], [235, 235, 235]], np.uint8)


def colorize(mask: NDArray[np.uint8], classes: Sequence[ClassInfo]) -> NDArray[np.uint8]:
    """A mask of class ids [H, W] as RGB uint8 [H, W, 3].

    Values of no class, such as the ignore id, are striped, so that they differ from every class's colour.
    """
    table = np.zeros((256, 1, 3), np.uint8)
    unknown = np.ones(256, np.uint8)
    for c in classes:
        table[c.id], unknown[c.id] = c.color, 0
    # OpenCV's lookup takes a quarter of NumPy's time, which matters for videos.
    colors = np.asarray(cv2.LUT(cv2.merge([mask, mask, mask]), table), np.uint8)
    striped = cv2.LUT(mask, unknown)
    if striped.any():
        rows, columns = np.nonzero(striped)
        colors[rows, columns] = _STRIPES[(rows + columns) // _STRIPE_PIXELS % 2]
    return colors


def overlay(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[ClassInfo], alpha: float = 0.5
) -> NDArray[np.uint8]:
    """Blend the mask's [H, W] colours over an image RGB [H, W, 3] with opacity ``alpha``; background is unchanged."""
    blended = cv2.addWeighted(image, 1 - alpha, colorize(mask, classes), alpha, 0)
    hidden = np.isin(np.arange(256), [c.id for c in classes if _is_background(c)]).astype(np.uint8)
    return np.asarray(cv2.copyTo(image, cv2.LUT(mask, hidden), blended), np.uint8)


def contours(image: NDArray[np.uint8], mask: NDArray[np.uint8], classes: Sequence[ClassInfo]) -> NDArray[np.uint8]:
    """Draw the outlines of the mask's [H, W] classes on a copy of an image RGB [H, W, 3]; background has none."""
    drawn = image.copy()
    thickness = max(1, round(min(mask.shape) / _PIXELS_PER_THICKNESS))
    for c in classes:
        inside = (mask == c.id).astype(np.uint8)
        if not _is_background(c) and inside.any():
            outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(drawn, outlines, -1, c.color, thickness, cv2.LINE_AA)
    return drawn


def blank(height: int, width: int) -> Image:
    """An empty area of the sheet."""
    return np.full((height, width, 3), PAPER, np.uint8)


def in_row(parts: Sequence[Image], gap: int) -> Image:
    """Images from left to right, aligned at the top."""
    height = max(part.shape[0] for part in parts)
    sheet = blank(height, sum(part.shape[1] for part in parts) + gap * (len(parts) - 1))
    left = 0
    for part in parts:
        sheet[: part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + gap
    return sheet


def stacked(parts: Sequence[Image], gap: int, margin: int = 0) -> Image:
    """Images from top to bottom, aligned at the left, with a margin on all sides."""
    width = max(part.shape[1] for part in parts)
    height = sum(part.shape[0] for part in parts) + gap * (len(parts) - 1)
    sheet = blank(height + 2 * margin, width + 2 * margin)
    top = margin
    for part in parts:
        sheet[top : top + part.shape[0], margin : margin + part.shape[1]] = part
        top += part.shape[0] + gap
    return sheet


def text(words: str, size: int, max_width: int) -> Image:
    """A line of text in any script, ``size`` pixels high; text that is too long loses its middle."""
    font = cv2.FontFace("sans")  # built into OpenCV, with Latin, Greek, Cyrillic and Chinese letters
    kept = len(words)
    while (width := _width(words, font, size)) > max_width and kept > 2:
        kept -= 1
        words = words[: (kept + 1) // 2].rstrip(_ELLIPSIS) + _ELLIPSIS + words[len(words) - kept // 2 :]
    line = blank(round(size * 1.4), min(width, max_width))
    cv2.putText(line, words, (0, round(size * 1.05)), INK, font, size, _WEIGHT)
    return line


def _is_background(c: ClassInfo) -> bool:
    return c.id == 0 and c.name.casefold() == BACKGROUND


def _width(words: str, font: cv2.FontFace, size: int) -> int:
    left, _, width, _ = cv2.getTextSize((1, 1), words, (0, 0), font, size, _WEIGHT)
    return max(1, left + width + 1)
