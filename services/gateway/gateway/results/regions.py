"""Where each class is in a mask: its runs of pixels, and its area and bounding box from them. Pure functions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.imaging.masks import Mask

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Runs:
    """One class's pixels in a flattened mask: int64 [R] starts in ascending order, and int64 [R] lengths."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @property
    def ends(self) -> NDArray[np.int64]:
        """One past each run's last pixel."""
        return self.starts + self.lengths


@dataclass(frozen=True, eq=False)
class Region:
    """Where one class is in a mask of P pixels.

    Attributes:
        class_id: the pixel value.
        pixels: their number.
        area: ``pixels / P``.
        bounding_box: x, y, width, height in pixels.
        runs: row by row.
    """

    class_id: int
    pixels: int
    area: float
    bounding_box: Box
    runs: Runs


def runs_by_class(line: NDArray[np.uint8]) -> dict[int, Runs]:
    """The runs of every value in a flattened mask, uint8 [P], by value, in one pass over the pixels."""
    # A run ends where the id changes.
    starts = np.concatenate(([0], np.flatnonzero(line[1:] != line[:-1]) + 1))
    lengths = np.diff(starts, append=line.size)
    ids = line[starts]
    order = np.argsort(ids, kind="stable")
    present, first = np.unique(ids[order], return_index=True)
    return {
        int(class_id): Runs(starts[own], lengths[own])
        for class_id, own in zip(present, np.split(order, first[1:]), strict=True)
    }


def regions(mask: Mask, ignore_id: int) -> list[Region]:
    """The classes present in ``mask``, uint8 [H,W], by id; ignored pixels belong to none."""
    width = mask.shape[1]
    found = []
    for class_id, runs in runs_by_class(mask.reshape(-1)).items():
        if class_id == ignore_id:
            continue
        pixels = int(runs.lengths.sum())
        found.append(Region(class_id, pixels, pixels / mask.size, _bounding_box(runs, width), runs))
    return found


def _bounding_box(runs: Runs, width: int) -> Box:
    last = runs.ends - 1
    top, bottom = runs.starts[0] // width, last[-1] // width
    # A run that continues over the end of a row touches both sides.
    wraps = bool((runs.starts // width != last // width).any())
    left = 0 if wraps else (runs.starts % width).min()
    right = width - 1 if wraps else (last % width).max()
    return int(left), int(top), int(right - left + 1), int(bottom - top + 1)
