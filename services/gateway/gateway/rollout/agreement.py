"""How far two models' masks agree: an alarm that needs no labels.

Classes are matched by name, so two models may number them differently. Pixels that either model ignores do not count.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

import contract
from gateway.imaging.masks import Mask
from gateway.imaging.masks import resize as resize_mask
from gateway.serving_client.replies import Prediction, ServedModel

# The images of the window: at one a second, the last eight minutes.
WINDOW_IMAGES = 500
# Pairs of versions remembered; older versions have been replaced.
_MAX_PAIRS = 8


@dataclass(frozen=True)
class Overlap:
    """Pixels of one image, or the sum over several; ``names`` are the classes of both models."""

    names: tuple[str, ...]
    images: int
    pixels: int
    agreeing: int
    intersection: NDArray[np.int64]
    union: NDArray[np.int64]

    @property
    def pixel_agreement(self) -> float | None:
        """Fraction of pixels with the same class in both masks, 0 to 1; None if there are no pixels."""
        return self.agreeing / self.pixels if self.pixels else None

    @property
    def per_class_iou(self) -> dict[str, float | None]:
        """Intersection over union of the two masks; None for a class in neither."""
        pairs = zip(self.names, self.intersection.tolist(), self.union.tolist(), strict=True)
        return {name: common / either if either else None for name, common, either in pairs}

    @property
    def miou(self) -> float | None:
        """Mean over the classes that are in either mask; None if no class is."""
        found = [iou for iou in self.per_class_iou.values() if iou is not None]
        return sum(found) / len(found) if found else None


def overlap(first: Prediction, second: Prediction) -> Overlap:
    """Compare two predictions for the same photo, at the size of the first."""
    names = tuple(dict.fromkeys(c.name for p in (first, second) for c in p.served.card.classes))
    size = len(names)
    second_mask = resize_mask(second.mask, *first.mask.shape)
    rows, columns = _ranked(first.mask, first.served.card, names), _ranked(second_mask, second.served.card, names)
    # The last row and column are the ignored pixels.
    joint = np.bincount(rows.ravel() * (size + 1) + columns.ravel(), minlength=(size + 1) ** 2)
    confusion = joint.reshape(size + 1, size + 1)[:size, :size].astype(np.int64)
    intersection = confusion.diagonal().copy()
    return Overlap(
        names=names,
        images=1,
        pixels=int(confusion.sum()),
        agreeing=int(intersection.sum()),
        intersection=intersection,
        union=confusion.sum(0) + confusion.sum(1) - intersection,
    )


def summed(overlaps: Sequence[Overlap]) -> Overlap:
    """The sum over at least one image of the same two models."""
    return Overlap(
        names=overlaps[0].names,
        images=sum(o.images for o in overlaps),
        pixels=sum(o.pixels for o in overlaps),
        agreeing=sum(o.agreeing for o in overlaps),
        intersection=np.sum([o.intersection for o in overlaps], axis=0),
        union=np.sum([o.union for o in overlaps], axis=0),
    )


@dataclass
class Comparison:
    """Two versions and their agreement, since the gateway's start and over the window."""

    first: ServedModel
    second: ServedModel
    total: Overlap
    recent: deque[Overlap] = field(default_factory=lambda: deque(maxlen=WINDOW_IMAGES))

    @property
    def window(self) -> Overlap:
        """Over the last images."""
        return summed(self.recent)


class Agreements:
    """The pairs of versions compared most recently, the latest last."""

    def __init__(self) -> None:
        self._pairs: OrderedDict[tuple[str, int, str, int], Comparison] = OrderedDict()

    def add(self, first: ServedModel, second: ServedModel, one: Overlap) -> Comparison:
        """Count one image."""
        key = (first.name, first.version, second.name, second.version)
        found = self._pairs.get(key)
        # A version's classes change only if another repository is mounted with the same name and number.
        if found is None or found.total.names != one.names:
            found = self._pairs[key] = Comparison(first, second, one)
        else:
            found.total = summed([found.total, one])
        found.recent.append(one)
        self._pairs.move_to_end(key)
        while len(self._pairs) > _MAX_PAIRS:
            self._pairs.popitem(last=False)
        return found

    def of(self, model: str) -> list[Comparison]:
        """The pairs in which ``model`` answered the client, the latest first."""
        return [pair for pair in reversed(self._pairs.values()) if pair.first.name == model]

    def __iter__(self) -> Iterator[Comparison]:
        """All of them, the latest last."""
        return iter(self._pairs.values())


def _ranked(mask: Mask, card: contract.ModelCard, names: tuple[str, ...]) -> NDArray[np.intp]:
    """Each pixel's class as its index in ``names``; ``len(names)`` where it is ignored."""
    table = np.full(256, len(names), np.intp)
    for c in card.classes:
        table[c.id] = names.index(c.name)
    return table[mask]
