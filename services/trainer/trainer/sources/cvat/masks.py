"""The masks of a CVAT export, and whether their pixels can be trusted."""

import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError
from trainer.sources.archive import Archive
from trainer.sources.cvat.labelmap import LabelMap
from trainer.sources.masks.decode import decode_mask, require_same_size

_PALETTE_COLORS = 256
_CLASSES, _OBJECTS = "SegmentationClass/", "SegmentationObject/"


class Masks:
    """The class masks of an export by image id.

    CVAT before October 2022, and other tools built on datumaro, paint every unlabelled pixel in the first label's
    colour if background is not the first label. Such a mask has a class where SegmentationObject is black, and is an
    error unless ``trust_unlabelled``.

    Raises:
        UserError: a file is not PNG.
    """

    def __init__(self, archive: Archive, labelmap: LabelMap, trust_unlabelled: bool) -> None:
        export = archive.path
        self._archive, self._labelmap, self._trust_unlabelled = archive, labelmap, trust_unlabelled
        files = [name for name in archive.names if name.startswith(_CLASSES)]
        others = [name for name in files if not name.endswith(".png")]
        if others:
            raise UserError(
                f"{export}: {_CLASSES} contains {len(others)} files that are not PNG, for instance {others[0]}: use "
                "the PNGs of the export, as JPEG changes colours"
            )
        self._objects = {name for name in archive.names if name.startswith(_OBJECTS)}
        self.names = {name[len(_CLASSES) : -len(".png")]: name for name in files}

    def read(self, item_id: str, height: int, width: int) -> NDArray[np.uint8]:
        """Class ids [height, width] of one image; all background if it has no mask.

        Raises:
            UserError: the mask cannot be decoded, has another size or colours outside the label map, or has a class
                where there is no object.
        """
        if item_id not in self.names:
            return np.zeros((height, width), np.uint8)
        name = self.names[item_id]
        where = self._where(name)
        ids = self._labelmap.ids(decode_mask(self._archive.read(name), where), where)
        require_same_size(ids, height, width, where)
        objects = name.replace(_CLASSES, _OBJECTS, 1)
        if not self._trust_unlabelled and objects in self._objects:
            self._check_objects(ids, decode_mask(self._archive.read(objects), self._where(objects)), where)
        return ids

    def _where(self, name: str) -> str:
        return f"{self._archive.path}: {name}"

    def _check_objects(self, ids: NDArray[np.uint8], objects: NDArray[np.uint8], name: str) -> None:
        without = ~(objects.any(axis=2) if objects.ndim == 3 else objects.astype(bool))
        if without.shape != ids.shape:
            raise UserError(
                f"{name}: is {ids.shape[1]}x{ids.shape[0]} but its SegmentationObject is "
                f"{without.shape[1]}x{without.shape[0]} (width x height): the export is damaged: export it again"
            )
        stray = ids[without & (ids != 0)]
        if stray.size and not _instance_colors_wrapped(objects):
            label = self._labelmap.classes[int(np.bincount(stray).argmax())].name
            raise UserError(
                f"{name}: {stray.size} pixels are {label!r} although no object is there: some exporters paint "
                "unlabelled pixels in the first label's colour. Export again with a current CVAT; or, if they are "
                "right, give --trust-unlabelled"
            )


def _instance_colors_wrapped(objects: NDArray[np.uint8]) -> bool:
    """Whether every colour of the palette is used, so that instances 256, 512, … are black like unlabelled pixels."""
    colors = objects if objects.ndim == 2 else objects.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    return np.unique(colors).size >= _PALETTE_COLORS
