"""An image and its mask in memory."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.datasets.dataset import Dataset, Item
from trainer.errors import UserError


@dataclass(frozen=True)
class Pair:
    """RGB uint8 [H, W, 3], class ids uint8 [H, W], and if known instance ids int32 [H, W], 0 = none.

    The arrays are never changed in place, as threads may share a pair.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    instances: NDArray[np.int32] | None = None


def read_pair(dataset: Dataset, item: Item) -> Pair:
    """Decode one labelled image.

    Raises:
        UserError: a file is missing or damaged, the mask is not 8-bit greyscale, or the sizes differ.
    """
    image = cv2.imread(str(dataset.root / item.image), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    mask = cv2.imread(str(dataset.root / item.mask), cv2.IMREAD_UNCHANGED)
    if image is None or mask is None:
        raise UserError(f"{dataset.root}: {item.image} or {item.mask} cannot be read: import the labels again")
    if mask.dtype != np.uint8 or mask.shape != image.shape[:2]:
        raise UserError(
            f"{dataset.root / item.mask}: is {mask.dtype} {mask.shape}, expected uint8 {image.shape[:2]} as its image: "
            "import the labels again"
        )
    return Pair(np.asarray(image, np.uint8), np.asarray(mask, np.uint8))
