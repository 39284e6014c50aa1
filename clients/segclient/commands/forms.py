"""The forms of a result: the files they are written to, and how they are drawn on a frame."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segclient.api.parameters import Form
from segclient.api.results import Segmentation
from segclient.images import RgbArray, stretch


@dataclass(frozen=True)
class FormFiles:
    """How the results of one form are written.

    Attributes:
        description: for ``--help``.
        image, video: the default file extension for an image and for a video.
        draw: turns a result, its frame and the opacity of overlays into uint8 [H,W,3] of the frame's size; None where
            the result is text.
        is_lossless: whether a video must keep every pixel's value.
    """

    description: str
    image: str
    video: str
    draw: Callable[[Segmentation, RgbArray, float], RgbArray] | None = None
    is_lossless: bool = False


def _class_ids(result: Segmentation, frame: RgbArray, _alpha: float) -> RgbArray:
    return np.repeat(stretch(result.mask, *frame.shape[:2])[..., None], 3, 2)


def _color(result: Segmentation, frame: RgbArray, _alpha: float) -> RgbArray:
    return result.stretched(*frame.shape[:2]).color()


def draw_overlay(result: Segmentation, frame: RgbArray, alpha: float) -> RgbArray:
    """``frame`` blended with the classes' colours."""
    return result.overlay(frame, alpha)


FORMS: dict[Form, FormFiles] = {
    "mask": FormFiles("class ids", ".png", ".mkv", _class_ids, is_lossless=True),
    "overlay": FormFiles("colours over the image", ".jpg", ".mp4", draw_overlay),
    "color": FormFiles("the classes' colours", ".png", ".mp4", _color),
    "json": FormFiles("the classes as text", ".json", ".jsonl"),
}
