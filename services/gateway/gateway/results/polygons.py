"""Outlines of classes along their pixels' edges. Pure functions.

Corners of pixels, not their centres: the area inside is the number of pixels, one pixel is a square, and tools that
fill polygons by the even-odd rule get the mask back.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.imaging.masks import Mask

# [[x, y], …] in pixels from the image's top left corner; the last point is joined to the first.
Ring = list[list[int]]
# The outline, then the holes in it.
Polygon = list[Ring]


def polygons(mask: Mask, ignore_id: int, tolerance: float) -> dict[int, list[Polygon]]:
    """The polygons of every class, by id: one for each connected part, diagonal neighbours included.

    Args:
        mask: uint8 [H,W].
        ignore_id: of no class.
        tolerance: pixels by which an outline may move so that it has fewer points; 0 keeps every corner. What would
            shrink to a line keeps its corners.
    """
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(ignore_id,))
    around = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    upper_left, upper_right, lower_left, lower_right = around
    # Where some class may bend: neither all four pixels alike nor a straight border between two and two. Few points
    # are left, which every class can be asked about; all pixels for each class would cost a hundred times as much.
    row, column = np.nonzero(
        ((upper_left != upper_right) | (lower_left != lower_right))
        & ((upper_left != lower_left) | (upper_right != lower_right))
    )
    quads = [pixels[row, column] for pixels in around]
    found = {}
    for class_id in np.unique(np.concatenate(quads)).tolist():
        if class_id != ignore_id:
            rings = _rings(row, column, *(pixels == class_id for pixels in quads))
            found[class_id] = _assembled(rings, (padded == class_id).view(np.uint8), tolerance)
    return found


def _assembled(rings: Iterable[NDArray[np.int32]], inside: Mask, tolerance: float) -> list[Polygon]:
    """Outlines with their holes; ``inside`` is padded by one pixel on every side."""
    count, parts = cv2.connectedComponents(inside, connectivity=8)
    found: list[Polygon] = [[] for _ in range(count - 1)]
    for ring in rings:
        # A ring starts at its top left corner, an outline so before its holes, and leaves it to the right. The part
        # is below that edge of its outline, and above that of a hole.
        column, row = ring[0]
        part = parts[row + 1, column + 1] or parts[row, column + 1]
        found[part - 1].append(_simplified(ring, tolerance).tolist())
    return found


def _rings(
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    upper_left: NDArray[np.bool_],
    upper_right: NDArray[np.bool_],
    lower_left: NDArray[np.bool_],
    lower_right: NDArray[np.bool_],
) -> Iterator[NDArray[np.int32]]:
    """Closed lines around a class, each int32 [N,2] x, y of its corners.

    Args:
        row: of pixel corners, [V], among them all at which a line can bend.
        column: of the same.
        upper_left: whether the pixel there is of the class, [V]; so for the other three around each corner.
    """
    left, right = upper_left != lower_left, upper_right != lower_right  # edges that meet in a pixel corner
    above, below = upper_left != upper_right, lower_left != lower_right
    bends = (left != right) & (above != below)
    # Where four edges meet, two lines touch; they bend around the outside, so that the inside stays connected.
    falling = left & right & above & below & upper_left
    rising = left & right & above & below & upper_right

    turns = [(bends, right[bends], below[bends])]
    turns += [(falling, True, False), (falling, False, True), (rising, False, False), (rising, True, True)]
    row, column, to_right, down = np.concatenate(
        [np.column_stack(np.broadcast_arrays(row[at], column[at], to_right, down)) for at, to_right, down in turns]
    ).T

    # Along a row or column of corners, edges lie between the first and the second, the third and the fourth, …
    by_row, by_column = np.lexsort((to_right, column, row)), np.lexsort((down, row, column))
    across, along = np.empty((2, row.size), np.intp)
    for partner, order in ((across, by_row), (along, by_column)):
        partner[order[::2]], partner[order[1::2]] = order[1::2], order[::2]

    points = np.column_stack((column, row)).astype(np.int32)
    steps = across.tolist(), along.tolist()
    seen = bytearray(row.size)
    for start in by_row.tolist():
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
