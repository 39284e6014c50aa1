"""From images of any size to their masks; with test-time augmentation, probabilities are averaged."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError
from trainer.inference.segmenter import Images, Masks, Probabilities, Segmenter
from trainer.inference.tta import FLIPS, PLAIN, TestTimeAugmentation

T = TypeVar("T")

# The most channels that OpenCV resizes at a time.
_CHANNELS_AT_A_TIME = 64


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in order, ``size`` at a time, taken as they are needed; the last batch may be smaller."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def segment(
    segmenter: Segmenter, images: Sequence[Images], tta: TestTimeAugmentation = PLAIN, batch_size: int = 8
) -> list[Masks]:
    """Class ids [H, W] of each image, uint8 RGB [H, W, 3] of any size, at its own size.

    Without augmentation the mask is resized by nearest neighbour, as clients do; otherwise probabilities are resized
    bilinearly and averaged, and the argmax is taken at the image's size.

    Raises:
        UserError: ``tta`` needs probabilities, and the model gives none.
    """
    if not tta.is_plain:
        return [probabilities(segmenter, image, tta, batch_size).argmax(-1).astype(np.uint8) for image in images]
    masks: list[Masks] = []
    for some in batches(images, batch_size):
        small = np.stack([resized(image, segmenter.size) for image in some])
        for image, mask in zip(some, segmenter.masks(small), strict=True):
            # INTER_NEAREST_EXACT has half-pixel centres; INTER_NEAREST has not, and would shift the mask.
            whole = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            masks.append(np.asarray(whole, np.uint8))
    return masks


def probabilities(segmenter: Segmenter, image: Images, tta: TestTimeAugmentation, batch_size: int = 8) -> Probabilities:
    """The mean of the network's answers to every flip, scale and window: float32 [H, W, C] at the image's own size."""
    if segmenter.probabilities is None:
        raise UserError(f"{segmenter.name} gives no probabilities, only masks: leave out flips, scales and windows")
    size = image.shape[:2]
    total: Probabilities = np.zeros((*size, len(segmenter.card.classes)), np.float32)
    for scale in tta.scales:
        height, width = (max(1, round(scale * side)) for side in (size if tta.window else segmenter.size))
        total += resized(_through_windows(segmenter, resized(image, (height, width)), tta, batch_size), size)
    return np.divide(total, len(tta.scales), out=total)


def resized(image: NDArray, size: tuple[int, int]) -> NDArray:
    """Bilinear with half-pixel centres, any number of channels [H, W, C]; the same array if it has the size."""
    if image.shape[:2] == size:
        return image
    parts = [
        np.atleast_3d(cv2.resize(image[..., first : first + _CHANNELS_AT_A_TIME], size[::-1]))
        for first in range(0, image.shape[-1], _CHANNELS_AT_A_TIME)
    ]
    return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _through_windows(segmenter: Segmenter, canvas: Images, tta: TestTimeAugmentation, batch_size: int) -> Probabilities:
    """The mean over windows of the input size that cover ``canvas``; a smaller one is padded with its mirror image."""
    assert segmenter.probabilities is not None
    (height, width), size = canvas.shape[:2], segmenter.size
    below, right = (max(0, needed - there) for needed, there in zip(size, (height, width), strict=True))
    padded = cv2.copyMakeBorder(canvas, 0, below, 0, right, cv2.BORDER_REFLECT_101) if below or right else canvas
    total: Probabilities = np.zeros((*padded.shape[:2], len(segmenter.card.classes)), np.float32)
    counts = np.zeros((*padded.shape[:2], 1), np.float32)
    mirrors = ((), *(FLIPS[name] for name in tta.flips))
    corners = list(_corners(padded.shape[:2], size, tta.overlap))
    for some in batches([(corner, axes) for corner in corners for axes in mirrors], batch_size):
        windows = [np.flip(padded[top : top + size[0], left : left + size[1]], axes) for (top, left), axes in some]
        answers = segmenter.probabilities(np.stack(windows))
        for ((top, left), axes), answer in zip(some, answers, strict=True):
            here = slice(top, top + size[0]), slice(left, left + size[1])
            total[here] += np.flip(answer, axes)
            counts[here] += 1
    return np.divide(total, counts, out=total)[:height, :width]


def _corners(canvas: Sequence[int], window: Sequence[int], overlap: float) -> Iterator[tuple[int, int]]:
    """Top and left of each window: evenly spread, the first and the last at the borders."""
    tops, lefts = (
        np.linspace(0, whole - part, math.ceil((whole - part) / max(1, part * (1 - overlap))) + 1).round().astype(int)
        for whole, part in zip(canvas, window, strict=True)
    )
    for top in tops:
        for left in lefts:
            yield int(top), int(left)
