"""Masks: uint8 [H,W] arrays of class ids. Pure functions."""

from collections.abc import Collection

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.imaging.images import Image
from gateway.imaging.palette import Palette

Mask = NDArray[np.uint8]


def resize(mask: Mask, height: int, width: int) -> Mask:
    """Nearest neighbour with half-pixel centres: no new ids, no shift against the photo.

    OpenCV's plain INTER_NEAREST samples at pixel corners and so shifts the mask by up to half a model pixel.
    """
    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def keep(mask: Mask, class_ids: Collection[int], ignore_id: int) -> Mask:
    """``mask`` with every id outside ``class_ids`` replaced by ``ignore_id``."""
    table = np.full(256, ignore_id, np.uint8)
    kept = list(class_ids)
    table[kept] = kept
    return np.asarray(cv2.LUT(mask, table), np.uint8)


def confident(mask: Mask, confidence: Mask, at_least: float, ignore_id: int) -> Mask:
    """``mask`` with ``ignore_id`` where ``confidence``, uint8 [H,W] in 255ths, is below ``at_least``, 0 to 1."""
    return np.where(confidence >= at_least * 255, mask, np.uint8(ignore_id))


def colorize(mask: Mask, palette: Palette) -> Image:
    """Class colours, uint8 [H,W,3] in OpenCV's BGR; ignored pixels are black."""
    return np.asarray(cv2.applyColorMap(mask, np.ascontiguousarray(palette.rgb[:, None, ::-1])), np.uint8)


def overlay(photo: Image, mask: Mask, palette: Palette, alpha: float) -> Image:
    """The photo (RGB) with class colours blended in, uint8 [H,W,3] in OpenCV's BGR.

    ``alpha`` 0 gives the photo, 1 the colours; ignored and background pixels keep the photo's colour.
    """
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    blended = cv2.addWeighted(bgr, 1 - alpha, colorize(mask, palette), alpha, 0)
    return np.asarray(cv2.copyTo(blended, cv2.LUT(mask, palette.painted), bgr), np.uint8)
