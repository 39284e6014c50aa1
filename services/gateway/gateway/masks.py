"""Masks: uint8 [H,W] arrays of class ids. Pure functions."""

from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.images import Image
from gateway.palette import Palette

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """Where one class is in a mask of P pixels.

    Attributes:
        class_id: the pixel value.
        pixels: how many.
        area: ``pixels / P``.
        bounding_box: x, y, width, height in pixels.
        runs: start, length, start, length, …; starts are row-major indices (y * width + x), rising.
    """

    class_id: int
    pixels: int
    area: float
    bounding_box: tuple[int, int, int, int]
    runs: list[int]


def resize(mask: Mask, height: int, width: int) -> Mask:
    """Nearest neighbour with half-pixel centres: no new ids, no shift against the photo.

    OpenCV's plain INTER_NEAREST samples at pixel corners and so shifts the mask by up to half a model pixel.
    """
    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def keep(mask: Mask, class_ids: Collection[int], ignore_id: int) -> Mask:
    """``mask`` with every id but ``class_ids`` turned into ``ignore_id``."""
    table = np.full(256, ignore_id, np.uint8)
    kept = list(class_ids)
    table[kept] = kept
    return np.asarray(cv2.LUT(mask, table), np.uint8)


def confident(mask: Mask, confidence: Mask, at_least: float, ignore_id: int) -> Mask:
    """``mask`` with ``ignore_id`` where ``confidence``, uint8 [H,W] in 255ths, is below ``at_least``, 0 to 1."""
    return np.where(confidence >= at_least * 255, mask, np.uint8(ignore_id))


def colorize(mask: Mask, palette: Palette) -> Image:
    """Class colours, uint8 [H,W,3] in OpenCV's BGR; black where no class is."""
    return np.asarray(cv2.applyColorMap(mask, np.ascontiguousarray(palette.rgb[:, None, ::-1])), np.uint8)


def overlay(photo: Image, mask: Mask, palette: Palette, alpha: float) -> Image:
    """The photo (RGB) with class colours laid over it, in OpenCV's BGR.

    ``alpha`` 0 shows the photo alone, 1 the colours alone; ignored and background pixels stay the photo's own.
    """
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    blended = cv2.addWeighted(bgr, 1 - alpha, colorize(mask, palette), alpha, 0)
    return np.asarray(cv2.copyTo(blended, cv2.LUT(mask, palette.painted), bgr), np.uint8)


def regions(mask: Mask, ignore_id: int) -> list[Region]:
    """The classes present, by id, in one pass over the runs; ignored pixels are of no class."""
    width = mask.shape[1]
    flat = mask.reshape(-1)
    # A run ends where the id changes. Runs that pass over a row's end span the whole width.
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    lengths = np.diff(np.append(starts, flat.size))
    ids = flat[starts]
    found = []
    for class_id in np.unique(ids):
        if class_id == ignore_id:
            continue
        own = ids == class_id
        first, length = starts[own], lengths[own]
        last = first + length - 1
        top, bottom = first[0] // width, last[-1] // width
        wraps = first // width != last // width
        left = 0 if wraps.any() else (first % width).min()
        right = width - 1 if wraps.any() else (last % width).max()
        pixels = int(length.sum())
        found.append(
            Region(
                class_id=int(class_id),
                pixels=pixels,
                area=pixels / flat.size,
                bounding_box=(int(left), int(top), int(right - left + 1), int(bottom - top + 1)),
                runs=np.column_stack((first, length)).reshape(-1).tolist(),
            )
        )
    return found
