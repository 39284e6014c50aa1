"""Polygons of classes along their pixels' edges. Pure functions.

Vertices are corners of pixels, not centres: a polygon's area is its number of pixels, one pixel is a square, and
filling the polygons by the even-odd rule gives the mask back.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.imaging.masks import Mask

# [[x, y], …] in pixels from the image's top left corner; the last point is connected to the first.
Ring = list[list[int]]
# The outline, then its holes.
Polygon = list[Ring]


def polygons(mask: Mask, ignore_id: int, tolerance: float) -> dict[int, list[Polygon]]:
    """The polygons of every class, by id: one for each connected component (8-connectivity).

    Args:
        mask: uint8 [H,W].
        ignore_id: pixels of no class.
        tolerance: pixels by which an outline may move so that it has fewer points (Douglas-Peucker); 0 keeps every
            corner. An outline that would shrink to a line keeps its corners.
    """
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(ignore_id,))
    around = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    upper_left, upper_right, lower_left, lower_right = around
    # Corners where some class may bend: neither four equal pixels nor a straight border between two and two. They are
    # few, and only they are checked for each class; checking all pixels for each would cost a hundred times as much.
    row, column = np.nonzero(
        ((upper_left != upper_right) | (lower_left != lower_right))
        & ((upper_left != lower_left) | (upper_right != lower_right))
    )
    quads = [pixels[row, column] for pixels in around]
    found = {}
    for class_id in np.unique(np.concatenate(quads)).tolist():
        if class_id != ignore_id:
            rings = _rings(row, column, *(pixels == class_id for pixels in quads))
            found[class_id] = _assemble(rings, (padded == class_id).view(np.uint8), tolerance)
    return found


def _assemble(rings: Iterable[NDArray[np.int32]], inside: Mask, tolerance: float) -> list[Polygon]:
    """Outlines with their holes; ``inside``, uint8 [H+2,W+2], is padded by one pixel on every side."""
    count, parts = cv2.connectedComponents(inside, connectivity=8)
    found: list[Polygon] = [[] for _ in range(count - 1)]
    for ring in rings:
        # A ring starts at its top left corner and leaves it to the right; so an outline comes before its holes. The
        # component is below that edge of its outline, and above that of a hole.
        column, row = ring[0]
        part = parts[row + 1, column + 1] or parts[row, column + 1]
        found[part - 1].append(_simplify(ring, tolerance).tolist())
    return found


def _rings(
    row: NDArray[np.intp],
    column: NDArray[np.intp],
    upper_left: NDArray[np.bool_],
    upper_right: NDArray[np.bool_],
    lower_left: NDArray[np.bool_],
    lower_right: NDArray[np.bool_],
) -> Iterator[NDArray[np.int32]]:
    """Closed rings around a class, each int32 [N,2], x and y of its corners.

    Args:
        row: rows of pixel corners, [V]; all at which a ring can bend are among them.
        column: their columns, [V].
        upper_left: whether the pixel up and left of each corner belongs to the class, [V].
        upper_right: the same for the other three pixels around it.
        lower_left: the same.
        lower_right: the same.
    """
    left, right = upper_left != lower_left, upper_right != lower_right  # edges that meet in a pixel corner
    above, below = upper_left != upper_right, lower_left != lower_right
    bends = (left != right) & (above != below)
    # Where four edges meet, two rings touch; they bend around the outside, so that the inside stays connected.
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


def _simplify(ring: NDArray[np.int32], tolerance: float) -> NDArray[np.int32]:
    if tolerance:
        fewer = cv2.approxPolyDP(ring[:, None], tolerance, True)[:, 0]
        if len(fewer) > 2:
            return np.asarray(fewer, np.int32)
    return ring
