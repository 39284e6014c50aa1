"""Outlines of a region along its pixels' edges. Pure functions.

Corners of pixels, not their centres: the area inside is the number of pixels, one pixel is a square, and tools that
fill polygons by the even-odd rule get the mask back.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.masks import Mask

# [[x, y], …] in pixels from the image's top left corner; the last point is joined to the first.
Ring = list[list[int]]
# The outline, then the holes in it.
Polygon = list[Ring]


def polygons(region: Mask, tolerance: float, x: int = 0, y: int = 0) -> list[Polygon]:
    """One polygon for each connected part, diagonal neighbours included.

    Args:
        region: uint8 [H,W], 0 outside.
        tolerance: pixels by which an outline may move so that it has fewer points; 0 keeps every corner. What would
            shrink to a line keeps its corners.
        x: of the region's left side in the image.
        y: of its top.
    """
    padded = cv2.copyMakeBorder(region, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,))
    count, parts = cv2.connectedComponents(padded, connectivity=8)
    found: list[Polygon] = [[] for _ in range(count - 1)]
    for ring in _rings(padded != 0):
        # A ring starts at its top left corner, an outline so before its holes, and leaves it to the right. The part
        # is below that edge of its outline, and above that of a hole.
        column, row = ring[0]
        part = parts[row + 1, column + 1] or parts[row, column + 1]
        found[part - 1].append((_simplified(ring, tolerance) + np.array((x, y))).tolist())
    return found


def _rings(inside: NDArray[np.bool_]) -> Iterator[NDArray[np.int32]]:
    """Closed lines around the True pixels of a padded [H+2,W+2], each int32 [N,2] x, y of its corners."""
    upper_left, upper_right = inside[:-1, :-1], inside[:-1, 1:]
    lower_left, lower_right = inside[1:, :-1], inside[1:, 1:]
    left, right = upper_left != lower_left, upper_right != lower_right  # edges that meet in a pixel corner
    above, below = upper_left != upper_right, lower_left != lower_right
    bends = (left != right) & (above != below)
    # Where four edges meet, two lines touch; they bend around the outside, so that the inside stays connected.
    falling = left & right & above & below & upper_left
    rising = left & right & above & below & upper_right

    turns = [(bends, right[bends], below[bends])]
    turns += [(falling, True, False), (falling, False, True), (rising, False, False), (rising, True, True)]
    corners = np.concatenate(
        [np.column_stack(np.broadcast_arrays(*np.nonzero(at), to_right, down)) for at, to_right, down in turns]
    )
    row, column, to_right, down = corners.T

    # Along a row or column of corners, edges lie between the first and the second, the third and the fourth, …
    across, along = np.empty((2, len(corners)), np.intp)
    for partner, order in ((across, np.lexsort((to_right, column, row))), (along, np.lexsort((down, row, column)))):
        partner[order[::2]], partner[order[1::2]] = order[1::2], order[::2]

    points = np.column_stack((column, row)).astype(np.int32)
    steps = across.tolist(), along.tolist()
    seen = bytearray(len(corners))
    for start in np.lexsort((to_right, column, row)).tolist():
        if seen[start]:
            continue
        ring, at = [], start
        while not seen[at]:
            seen[at] = 1
            ring.append(at)
            at = steps[len(ring) % 2 == 0][at]
        yield points[ring]


def _simplified(ring: NDArray[np.int32], tolerance: float) -> NDArray[np.int32]:
    if tolerance:
        fewer = cv2.approxPolyDP(ring[:, None], tolerance, True)[:, 0]
        if len(fewer) > 2:
            return np.asarray(fewer, np.int32)
    return ring
