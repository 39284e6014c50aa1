"""The tail of a segmentation network, without the logits at full size: argmax of bilinearly upsampled logits.

A network ends at an eighth of the image or so; its logits are resized to the image and each pixel takes the class with
the highest one. Done in that order, 19 classes at 480x640 are 23 MB to write and to read again, half of the time of a
fast network. But most pixels are inside regions: between four neighbouring logits that put the same class first,
bilinear interpolation, a convex combination, puts it first everywhere. So only the cells that a border between classes
crosses are interpolated, and there only the classes that no other one exceeds at all four corners.

The interpolation is that of TensorFlow's ResizeBilinear with half-pixel centres, operation for operation in float32,
so the mask is the one that argmax of the resized logits gives, on every pixel.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

# Rounding could let a class that is ahead at all four corners of a cell fall behind between them, if it is ahead by
# less than a few units in the last place of the largest logit. Only a lead above this share of it counts.
_LEAST_LEAD = 16 * float(np.finfo(np.float32).eps)

# Border cells interpolated at a time: their 64 pixels in float32 stay in the second-level cache.
_CELLS_AT_ONCE = 1024


def is_power_of_two(factor: int) -> bool:
    """Whether ``factor`` is one that :func:`upsampled_argmax` takes: 2, 4, 8, …

    With another factor the positions between two logits round differently from cell to cell.
    """
    return factor > 1 and factor & (factor - 1) == 0


def upsampled_argmax(logits: Floats, factor: int) -> NDArray[np.uint8]:
    """Class ids uint8 [N, h * factor, w * factor] of logits float32 [N, h, w, C]; ``factor`` is a power of two.

    Equal to ``tf.argmax(tf.image.resize(logits, [h * factor, w * factor]), -1)``: the lowest id of those that tie.
    C is at most 256.
    """
    return np.stack([_mask(image, factor) for image in logits])


def _mask(logits: Floats, factor: int) -> NDArray[np.uint8]:
    """One image's mask [h * factor, w * factor] from its logits [h, w, C].

    A cell is between four logits. Along each side there is one cell more than there are logits: beyond the first and
    the last of them the outermost logits are extended, half a cell wide.
    """
    height, width, _ = logits.shape
    planes = np.pad(logits.transpose(2, 0, 1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    least_lead = np.float32(_LEAST_LEAD * np.abs(logits).max())
    corner = _leaders(planes, least_lead)
    upper_left = corner[:-1, :-1]
    uniform = (upper_left >= 0) & (upper_left == corner[:-1, 1:])
    uniform &= (upper_left == corner[1:, :-1]) & (upper_left == corner[1:, 1:])
    pixels = np.empty((height + 1, factor, width + 1, factor), np.uint8)
    pixels.reshape(height + 1, factor, -1)[...] = np.repeat(upper_left.astype(np.uint8), factor, axis=1)[:, None]

    runs = _runs(pixels)  # [h + 1, factor, w + 1]
    rows, columns = np.nonzero(~uniform)
    for start in range(0, len(rows), _CELLS_AT_ONCE):
        row, column = rows[start : start + _CELLS_AT_ONCE], columns[start : start + _CELLS_AT_ONCE]
        corners = np.stack([planes[:, row + down, column + right] for down in (0, 1) for right in (0, 1)])
        runs[row, :, column] = _runs(_interpolated(corners, _candidates(corners, least_lead), factor))

    half = factor // 2
    return pixels.reshape((height + 1) * factor, -1)[half : half + height * factor, half : half + width * factor]


def _leaders(planes: Floats, least_lead: np.float32) -> NDArray[np.int16]:
    """The class that leads by more than ``least_lead``, or -1 where none does: [h, w] from logits [C, h, w].

    In bytes and whole planes: 19 classes of 60x80 take 0.03 ms, where argmax and maximum over the classes of each
    position took 0.6.
    """
    ahead = (planes >= planes.max(axis=0) - least_lead).view(np.uint8)
    ids = np.arange(len(planes), dtype=np.uint8)[:, None, None]
    count, summed = (np.add.reduce(values, axis=0, dtype=np.uint8) for values in (ahead, ahead * ids))
    return np.where(count == 1, summed.astype(np.int16), np.int16(-1))  # of a single one the sum is its id


def _runs(pixels: NDArray[np.uint8]) -> NDArray[np.void]:
    """The last axis as one value: copied whole, eight pixels take the time of one."""
    return pixels.view(f"V{pixels.shape[-1]}")[..., 0]


def _candidates(corners: Floats, least_lead: np.float32) -> NDArray[np.bool_]:
    """Which classes may be the highest somewhere in a cell, [C, K], from the logits at its corners [4, C, K].

    Not those that the first class of one of the corners exceeds at all four of them.
    """
    candidates = np.ones(corners.shape[1:], np.bool_)
    for first in corners.argmax(axis=1):
        of_first = np.take_along_axis(corners, np.broadcast_to(first[None, None], (4, 1, first.size)), axis=1)
        candidates &= (of_first - corners <= least_lead).any(axis=0)
    return candidates


def _interpolated(corners: Floats, candidates: NDArray[np.bool_], factor: int) -> NDArray[np.uint8]:
    """The pixels of K cells, uint8 [K, factor, factor], from corners [4, C, K] and candidates [C, K].

    In turn every cell's first candidate, second candidate and so on: cells in order of how many they have, so that
    those which still have one are a slice, and classes in order, so that a later one must be strictly higher.
    """
    count = candidates.sum(axis=0)
    order = np.argsort(-count, kind="stable")
    _, ids = np.nonzero(candidates.T)  # cell by cell, ascending
    offset = (np.cumsum(count) - count)[order]
    still = np.searchsorted(-count[order], -np.arange(count.max()))  # cells with more than 0, 1, … candidates

    at = ((np.arange(factor, dtype=np.float32) + np.float32(0.5)) / np.float32(factor))[:, None]
    highest = np.empty((factor, factor, len(order)), np.float32)
    values = np.empty_like(highest)
    pixels = np.empty(highest.shape, np.uint8)
    for turn, cells in enumerate(still):
        id_ = ids[offset[:cells] + turn]
        upper_left, upper_right, lower_left, lower_right = corners[:, id_, order[:cells]]
        top = upper_left + (upper_right - upper_left) * at
        bottom = lower_left + (lower_right - lower_left) * at
        value = np.multiply(bottom - top, at[:, None], out=values[..., :cells])
        value += top
        if turn == 0:
            highest[...], pixels[...] = value, id_
            continue
        # pixels = where(value > highest, id_, pixels), in bytes of 0 or 255: np.where and copyto are far slower.
        higher = -(value > highest[..., :cells]).view(np.uint8)
        pixels[..., :cells] ^= (pixels[..., :cells] ^ id_.astype(np.uint8)) & higher
        np.maximum(highest[..., :cells], value, out=highest[..., :cells])
    in_place = np.empty((len(order), factor, factor), np.uint8)
    in_place[order] = pixels.transpose(2, 0, 1)
    return in_place
