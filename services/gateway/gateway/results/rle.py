"""Run-length encodings of labelling tools, made from runs instead of pixels."""

import numpy as np
from numpy.typing import NDArray

from gateway.imaging.masks import Mask
from gateway.results.regions import Box, Runs, runs_by_class

# COCO's counts fit into 30 bits as long as an image has fewer than 2**29 pixels: six characters of five bits.
_COCO_CHARACTERS = 6
# Label Studio's four widths of a length field, in bits, and so the longest run of each.
_BRUSH_WIDTHS = np.array([3, 4, 8, 16])


def interleaved(runs: Runs) -> list[int]:
    """start, length, start, length, …"""
    return _as_list(np.column_stack((runs.starts, runs.lengths)))


def cvat(runs: Runs, box: Box, width: int) -> list[int]:
    """The ``points`` of a CVAT shape of type ``mask``.

    Lengths of the runs within ``box``, row by row, background and class alternating, background first; then left, top,
    right and bottom, the last two inclusive. ``cvat_sdk.masks.decode_mask`` reads it.

    Args:
        runs: row by row, of a mask ``width`` pixels wide.
        box: x, y, width, height; contains all runs.
        width: of the mask.
    """
    left, top, box_width, box_height = box
    # A run over the end of a row spans the whole width, and then so does the box: no run is split.
    rows, columns = np.divmod(runs.starts, width)
    starts = (rows - top) * box_width + columns - left
    ends = starts + runs.lengths
    # Runs that were separated only by pixels outside the box are joined.
    apart = starts[1:] != ends[:-1]
    edges = np.column_stack((starts[np.r_[True, apart]], ends[np.r_[apart, True]])).reshape(-1)
    counts = np.diff(edges, prepend=0)
    rest = box_width * box_height - edges[-1]
    tail = [int(rest)] if rest else []
    return [*_as_list(counts), *tail, left, top, left + box_width - 1, top + box_height - 1]


def label_studio(runs: Runs, pixels: int) -> list[int]:
    """The ``rle`` of a Label Studio brush: bytes of a bit stream over an RGBA image, 255 where the class is.

    A header (number of values in 32 bits, word size - 1 in 5, four length widths - 1 in 4 each), then for each run
    bit 1, the width's index in 2 bits, the length - 1 in that width, and the value in 8: the format of
    @thi.ng/rle-pack, which ``label_studio_sdk.converter.brush.decode_rle`` reads.

    Args:
        runs: row by row.
        pixels: of the whole mask.
    """
    edges = np.concatenate(([0], np.column_stack((runs.starts, runs.ends)).reshape(-1), [pixels])) * 4
    lengths = np.diff(edges)
    values = np.where(np.arange(lengths.size) % 2, 255, 0)
    lengths, values = _split(lengths, values, 1 << int(_BRUSH_WIDTHS[-1]))
    index = np.searchsorted(1 << _BRUSH_WIDTHS, lengths)
    width = _BRUSH_WIDTHS[index]
    codes = (((1 << 2 | index) << width | lengths - 1) << 8) | values
    header = [4 * pixels, 8 - 1, *(_BRUSH_WIDTHS - 1).tolist()]
    numbers, widths = np.concatenate((header, codes)), np.concatenate(([32, 5, 4, 4, 4, 4], width + 11))
    # In blocks: unpacked, each bit takes 8 bytes.
    blocks = range(0, numbers.size, 2**16)
    return _as_list(np.packbits(np.concatenate([_bits(numbers[i:][: 2**16], widths[i:][: 2**16]) for i in blocks])))


def coco(mask: Mask) -> dict[int, str]:
    """COCO's compressed ``counts`` of every value in the mask, by value; their ``size`` is [height, width].

    Lengths of the runs column by column, background and class alternating, background first; from the third of each on
    the difference to the previous one, in characters of five bits. ``pycocotools.mask.decode`` reads it.
    """
    columns = mask.T.reshape(-1)
    return {value: _coco_counts(runs, mask.size) for value, runs in runs_by_class(columns).items()}


def _coco_counts(runs: Runs, pixels: int) -> str:
    edges = np.column_stack((runs.starts, runs.ends)).reshape(-1)
    counts = np.diff(edges, prepend=0, append=pixels)
    counts = counts[:-1] if counts[-1] == 0 else counts
    counts[3:] -= counts[1:-2].copy()
    # Signed numbers, low bits first; the sixth bit of a character is set if another follows.
    shifts = 5 * np.arange(_COCO_CHARACTERS)
    parts = counts[:, None] >> shifts & 0x1F
    # A number ends where the rest is only the sign of the previous character.
    ends = counts[:, None] >> (shifts + 4) == (counts < 0)[:, None] * -1
    last = ends.argmax(1)[:, None]
    order = np.arange(_COCO_CHARACTERS)
    characters = parts + 0x20 * (order < last) + 48
    return characters[order <= last].astype(np.uint8).tobytes().decode("ascii")


def _split(
    lengths: NDArray[np.int64], values: NDArray[np.int64], longest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Runs of at most ``longest``, without empty ones."""
    pieces = -(-lengths // longest)
    split = np.full(pieces.sum(), longest)
    kept = pieces > 0
    split[np.cumsum(pieces[kept]) - 1] = lengths[kept] - (pieces[kept] - 1) * longest
    return split, np.repeat(values, pieces)


def _bits(numbers: NDArray[np.int64], widths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Every number in its width, most significant bit first: uint8 [sum of widths], 0 or 1."""
    ends = np.cumsum(widths)
    shift = np.repeat(ends, widths) - 1 - np.arange(ends[-1])
    return (np.repeat(numbers, widths) >> shift & 1).astype(np.uint8)


def _as_list(array: NDArray[np.integer]) -> list[int]:
    found: list[int] = array.reshape(-1).tolist()
    return found
