"""Operations that change an image's content: removed parts, pasted objects, other backgrounds."""

import functools
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contract import IGNORE_ID
from trainer.augmentation.operations.operation import Change, Donors, register
from trainer.augmentation.operations.view import FILL, View
from trainer.datasets.pair import Pair
from trainer.errors import UserError
from trainer.recipe_values import Fraction, PositiveRange
from trainer.sources.images import IMAGE_SUFFIXES


@register("cutout")
class Cutout(Change):
    """Cover up to ``holes`` rectangles, each side up to ``size`` of the image's, and ignore what was there.

    Source: arXiv 1708.04552. With ``ignore: false`` the labels stay, to be predicted from the surroundings.
    """

    probability: Fraction = 0.5
    holes: int = Field(3, ge=1)
    size: Fraction = 0.2
    ignore: bool = True

    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The pair with holes."""
        image, mask = pair.image.copy(), pair.mask.copy()
        sides = np.array(mask.shape)
        for _ in range(rng.integers(1, self.holes, endpoint=True)):
            extent = rng.uniform(0, self.size, 2) * sides
            top, left = corner = (rng.uniform(0, 1, 2) * (sides - extent)).astype(int)
            bottom, right = np.ceil(corner + extent).astype(int)
            image[top:bottom, left:right] = FILL
            if self.ignore:
                mask[top:bottom, left:right] = IGNORE_ID
        return Pair(image, mask)


@register("copy_paste")
class CopyPaste(Change):
    """Paste up to ``objects`` objects of another image, resized by ``scale``, at random places.

    Source: arXiv 2012.07177. An object is an instance if the donor has instance ids, or else a connected part of one
    class other than background, of at least ``smallest`` of its image's area. ``classes`` are the ids to paste; by
    default all.
    """

    probability: Fraction = 0.5
    objects: int = Field(2, ge=1)
    scale: PositiveRange = (0.5, 1.5)
    smallest: Fraction = 0.001
    classes: tuple[int, ...] | None = None
    background: int = 0

    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The pair with another image's objects pasted; the same pair if there are none."""
        if donors is None:
            return pair
        image, mask = pair.image.copy(), pair.mask.copy()
        donor = donors(rng)  # one for all objects, as it has to be decoded
        for _ in range(rng.integers(1, self.objects, endpoint=True)):
            pasted = self._choose(donor, rng)
            if pasted is not None:
                zoom = rng.uniform(*self.scale) * np.array(mask.shape) / donor.mask.shape
                sides = np.maximum(1, np.rint(zoom * pasted.mask.shape)).astype(int)
                corner = np.rint(rng.uniform(0, 1, 2) * mask.shape - sides / 2).astype(int)
                _paste(View.of(pasted, *sides).draw(), corner, image, mask)
        return Pair(image, mask)

    def _choose(self, donor: Pair, rng: np.random.Generator) -> Pair | None:
        """One object of ``donor``, cropped to its bounding box, in which everything else is ignored."""
        smallest = max(1, self.smallest * donor.mask.size)
        if donor.instances is not None:
            objects = np.where(self._allowed()[donor.mask], donor.instances, 0)
            ids, areas = np.unique(objects[objects != 0], return_counts=True)
            ids = ids[areas >= smallest]
            chosen = objects == rng.choice(ids) if ids.size else None
        else:
            present = np.flatnonzero((np.bincount(donor.mask.ravel(), minlength=256) >= smallest) & self._allowed())
            chosen = _connected_part(donor.mask == rng.choice(present), smallest, rng) if present.size else None
        if chosen is None:
            return None
        left, top, width, height = cv2.boundingRect(chosen.astype(np.uint8))
        box = slice(top, top + height), slice(left, left + width)
        return Pair(donor.image[box], np.where(chosen[box], donor.mask[box], np.uint8(IGNORE_ID)))

    def _allowed(self) -> NDArray[np.bool_]:
        """Whether objects of each mask value may be pasted, bool [256]."""
        values = np.arange(256)
        allowed = np.ones(256, bool) if self.classes is None else np.isin(values, self.classes)
        return allowed & (values != self.background) & (values != IGNORE_ID)


def _connected_part(mask: NDArray[np.bool_], smallest: float, rng: np.random.Generator) -> NDArray[np.bool_] | None:
    """One of the connected parts with at least ``smallest`` pixels."""
    _, parts, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    large = 1 + np.flatnonzero(statistics[1:, cv2.CC_STAT_AREA] >= smallest)
    return np.asarray(parts == rng.choice(large)) if large.size else None


def _paste(pasted: Pair, corner: NDArray[np.int64], image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Copy ``pasted``, except ignored pixels, into ``image`` and ``mask`` with its top left corner at ``corner``."""
    sides = np.array(pasted.mask.shape)
    first, last = np.maximum(corner, 0), np.minimum(corner + sides, mask.shape)
    target = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    source = tuple(slice(int(a), int(b)) for a, b in zip(first - corner, last - corner, strict=True))
    covered = pasted.mask[source] != IGNORE_ID
    mask[target][covered] = pasted.mask[source][covered]
    image[target][covered] = pasted.image[source][covered]


@register("replace_background")
class ReplaceBackground(Change):
    """Replace the pixels of the class ``background`` by an image from ``folder``."""

    folder: Path
    probability: Fraction = 0.5
    background: int = 0

    def require(self) -> None:
        """Raise UserError if the folder contains no images."""
        _image_files(self.folder)

    def change(self, pair: Pair, rng: np.random.Generator, donors: Donors | None) -> Pair:
        """The pair with another background."""
        files = _image_files(self.folder)
        file = files[rng.integers(len(files))]
        image = cv2.imread(str(file), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise UserError(f"{file}: cannot be decoded as an image: replace or remove it")
        behind = _covering(np.asarray(image, np.uint8), pair.mask.shape[:2], rng)
        return Pair(np.where((pair.mask == self.background)[..., None], behind, pair.image), pair.mask)


@functools.lru_cache(maxsize=8)
def _image_files(folder: Path) -> list[Path]:
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES) if folder.is_dir() else []
    if not files:
        raise UserError(f"{folder}: contains no images; expected a folder of JPEG or PNG files as backgrounds")
    return files


def _covering(image: NDArray[np.uint8], size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The largest random part of ``image`` with the aspect ratio of ``size``, resized to it."""
    zoom = min(have / want for have, want in zip(image.shape[:2], size, strict=True))
    part = [max(1, int(want * zoom)) for want in size]
    top, left = (rng.integers(0, have - want, endpoint=True) for have, want in zip(image.shape[:2], part, strict=True))
    cut = image[top : top + part[0], left : left + part[1]]
    return np.asarray(cv2.resize(cut, (size[1], size[0]), interpolation=cv2.INTER_AREA), np.uint8)
