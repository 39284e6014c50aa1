"""Class weights for rare classes, from the number of pixels of each class."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_ENET_C = 1.02


def median_frequency(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median-frequency balancing (Eigen and Fergus, arXiv 1411.4734): the median frequency over the class's own.

    A class's frequency is its fraction of the pixels of the images with the class: a class in few images does not count
    as one of small objects.

    Args:
        counts: labelled pixels int64 [N, C] of each class in each image, without ignored pixels.

    Returns:
        Weights [C]; 1 for a class without pixels.
    """
    present = counts > 0
    pixels = counts.sum(axis=0).astype(np.float64)
    around = (counts.sum(axis=1, keepdims=True) * present).sum(axis=0)
    frequency = np.divide(pixels, around, out=np.full(len(pixels), np.nan), where=around > 0)
    return _neutral_where_absent(np.nanmedian(frequency) / frequency) if present.any() else np.ones(len(pixels))


def enet(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """ENet's weights (Paszke et al., arXiv 1606.02147): ``1 / ln(1.02 + p)``, between 1.4 and 50.5.

    ``p`` is the class's fraction of all labelled pixels; arguments and result are as in :func:`median_frequency`.
    """
    pixels = counts.sum(axis=0).astype(np.float64)
    fraction = np.where(pixels > 0, pixels / max(1.0, pixels.sum()), np.nan)
    return _neutral_where_absent(1 / np.log(_ENET_C + fraction))


CLASS_WEIGHTS: dict[str, Callable[[NDArray[np.int64]], NDArray[np.float64]]] = {
    "median_frequency": median_frequency,
    "enet": enet,
}


def _neutral_where_absent(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(weights), 1.0, weights)
