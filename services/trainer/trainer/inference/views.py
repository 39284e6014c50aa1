"""One image seen several ways: mirrored, at several scales, through a sliding window; probabilities are averaged."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError
from trainer.inference.batches import batches
from trainer.inference.segmenter import Images, Masks, Probabilities, Segmenter

# OpenCV resizes at most so many channels at a time.
_CHANNELS_AT_A_TIME = 64

FLIPS = {"horizontally": (1,), "vertically": (0,), "both ways": (0, 1)}  # axes of [H, W, C]


@dataclass(frozen=True)
class Views:
    """How an image is looked at; by default once, stretched to the input size, as clients do.

    Attributes:
        flips: each also mirrors: keys of :data:`FLIPS`.
        scales: each is a size of the image, as a factor of the input size (with ``window`` of the image's own size).
        window: do not stretch the image, but move a window of the input size over it.
        overlap: least share of a window that the next one sees again.
    """

    flips: Sequence[str] = ()
    scales: Sequence[float] = (1.0,)
    window: bool = False
    overlap: float = 1 / 3

    def __post_init__(self) -> None:
        if not self.scales or not all(0.1 <= scale <= 8 for scale in self.scales):
            raise UserError(f"--scales {' '.join(f'{s:g}' for s in self.scales)}: expected factors from 0.1 to 8")
        if not 0 <= self.overlap <= 0.9:
            raise UserError(f"--overlap {self.overlap:g}: expected a share of the window from 0 to 0.9")

    @property
    def plain(self) -> bool:
        """Whether an image is seen once and as a whole."""
        return not self.flips and tuple(self.scales) == (1.0,) and not self.window

    def __str__(self) -> str:
        parts = [f"mirrored {', '.join(self.flips)}"] if self.flips else []
        parts += [f"at scales {', '.join(f'{s:g}' for s in self.scales)}"] if tuple(self.scales) != (1.0,) else []
        parts += [f"through a sliding window with an overlap of {self.overlap:.0%}"] if self.window else []
        return ", ".join(parts) or "once, stretched to the input size"


PLAIN = Views()


def segment(segmenter: Segmenter, images: Sequence[Images], views: Views = PLAIN, batch_size: int = 8) -> list[Masks]:
    """Class ids [H, W] of each image, uint8 RGB [H, W, 3] of any size, at its own size.

    Seen once, the mask is resized by nearest neighbour, as clients do; otherwise probabilities are resized bilinearly
    and averaged, and the argmax is taken at the image's size.

    Raises:
        UserError: ``views`` need probabilities, which the model does not give.
    """
    if not views.plain:
        return [probabilities(segmenter, image, views, batch_size).argmax(-1).astype(np.uint8) for image in images]
    masks: list[Masks] = []
    for some in batches(images, batch_size):
        small = np.stack([resized(image, segmenter.size) for image in some])
        for image, mask in zip(some, segmenter.masks(small), strict=True):
            # INTER_NEAREST_EXACT has half-pixel centres; INTER_NEAREST has not, and would shift the mask.
            whole = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            masks.append(np.asarray(whole, np.uint8))
    return masks


def probabilities(segmenter: Segmenter, image: Images, views: Views, batch_size: int = 8) -> Probabilities:
    """The mean of what the network says of every view: float32 [H, W, C] at the image's own size."""
    if segmenter.probabilities is None:
        raise UserError(f"{segmenter.name} gives no probabilities, only masks: leave out flips, scales and windows")
    size = image.shape[:2]
    total: Probabilities = np.zeros((*size, len(segmenter.card.classes)), np.float32)
    for scale in views.scales:
        height, width = (max(1, round(scale * side)) for side in (size if views.window else segmenter.size))
        total += resized(_through_windows(segmenter, resized(image, (height, width)), views, batch_size), size)
    return np.divide(total, len(views.scales), out=total)


def resized(image: NDArray, size: tuple[int, int]) -> NDArray:
    """Bilinear with half-pixel centres, any number of channels [H, W, C]; the same array if it has the size."""
    if image.shape[:2] == size:
        return image
    parts = [
        np.atleast_3d(cv2.resize(image[..., first : first + _CHANNELS_AT_A_TIME], size[::-1]))
        for first in range(0, image.shape[-1], _CHANNELS_AT_A_TIME)
    ]
    return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _through_windows(segmenter: Segmenter, canvas: Images, views: Views, batch_size: int) -> Probabilities:
    """The mean over windows of the input size that cover ``canvas``; a smaller one is padded with its mirror image."""
    assert segmenter.probabilities is not None
    (height, width), size = canvas.shape[:2], segmenter.size
    below, right = (max(0, needed - there) for needed, there in zip(size, (height, width), strict=True))
    padded = cv2.copyMakeBorder(canvas, 0, below, 0, right, cv2.BORDER_REFLECT_101) if below or right else canvas
    total: Probabilities = np.zeros((*padded.shape[:2], len(segmenter.card.classes)), np.float32)
    counts = np.zeros((*padded.shape[:2], 1), np.float32)
    mirrors = ((), *(FLIPS[name] for name in views.flips))
    corners = list(_corners(padded.shape[:2], size, views.overlap))
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
