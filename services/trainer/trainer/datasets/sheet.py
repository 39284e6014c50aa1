"""Putting pictures and words together on a white sheet; everything is RGB uint8 [H, W, 3]."""

from collections.abc import Sequence

import cv2
import numpy as np

from trainer.sources.drawn.objects import Image

GAP, MARGIN = 8, 20
PAPER = (255, 255, 255)
INK = (30, 30, 30)

_ELLIPSIS = "…"
_WEIGHT = 400  # of the letters, as CSS counts


def blank(height: int, width: int) -> Image:
    """Paper."""
    return np.full((height, width, 3), PAPER, np.uint8)


def beside(parts: Sequence[Image], gap: int) -> Image:
    """From left to right, aligned at their tops."""
    height = max(part.shape[0] for part in parts)
    sheet = blank(height, sum(part.shape[1] for part in parts) + gap * (len(parts) - 1))
    left = 0
    for part in parts:
        sheet[: part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + gap
    return sheet


def stacked(parts: Sequence[Image], gap: int, margin: int = 0) -> Image:
    """From top to bottom, aligned at their left, with a margin around."""
    width = max(part.shape[1] for part in parts)
    height = sum(part.shape[0] for part in parts) + gap * (len(parts) - 1)
    sheet = blank(height + 2 * margin, width + 2 * margin)
    top = margin
    for part in parts:
        sheet[top : top + part.shape[0], margin : margin + part.shape[1]] = part
        top += part.shape[0] + gap
    return sheet


def text(words: str, size: int, max_width: int) -> Image:
    """A line of text in any script, ``size`` pixels high; what does not fit loses its middle."""
    font = cv2.FontFace("sans")  # built into OpenCV, with Latin, Greek, Cyrillic and Chinese letters
    kept = len(words)
    while (width := _width(words, font, size)) > max_width and kept > 2:
        kept -= 1
        words = words[: (kept + 1) // 2].rstrip(_ELLIPSIS) + _ELLIPSIS + words[len(words) - kept // 2 :]
    line = blank(round(size * 1.4), min(width, max_width))
    cv2.putText(line, words, (0, round(size * 1.05)), INK, font, size, _WEIGHT)
    return line


def _width(words: str, font: cv2.FontFace, size: int) -> int:
    left, _, width, _ = cv2.getTextSize((1, 1), words, (0, 0), font, size, _WEIGHT)
    return max(1, left + width + 1)
