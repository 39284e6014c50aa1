"""One opened CVAT export "Segmentation mask 1.1": its label map, lists, masks and images."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainer.errors import UserError
from trainer.sources.archive import Archive, open_archive
from trainer.sources.cvat.labelmap import LabelMap, parse_dataset_meta, parse_labelmap
from trainer.sources.cvat.masks import Masks
from trainer.sources.images import EncodedImage, find_images
from trainer.sources.writing import SPLIT_ALIASES

_LISTS, _IMAGES = "ImageSets/Segmentation/", "JPEGImages/"
_LABELMAP, _META = "labelmap.txt", "dataset_meta.json"


@dataclass(frozen=True)
class CvatExport:
    """An export; ``subsets`` has the subset files that list an id, for every listed id in order."""

    path: Path
    labelmap: LabelMap
    subsets: dict[str, list[str]]
    masks: Masks
    images: dict[str, EncodedImage]

    @property
    def labelled(self) -> list[str]:
        """The listed ids, in order, then those that only have a mask."""
        return [*self.subsets, *self.unlisted]

    @property
    def unlisted(self) -> list[str]:
        """The ids that have a mask and are not in any list."""
        return sorted(self.masks.names.keys() - self.subsets.keys())

    def split(self, item_id: str) -> str:
        """The split of an image, by a project's subset ``Train``, ``Validation`` or ``Test``.

        Raises:
            UserError: the image is in another subset, in several, or in none.
        """
        subsets = self.subsets.get(item_id, [])
        splits = [SPLIT_ALIASES.get(subset.casefold()) for subset in subsets]
        if len(splits) != 1 or splits[0] is None:
            found = " and ".join(map(repr, sorted(subsets))) or "no subset"
            raise UserError(
                f"{self.path}: {item_id} is in {found}: --subsets-as-splits expects each image in one of Train, "
                "Validation, Test; set its task's subset in CVAT, or omit the option"
            )
        return splits[0]


def open_export(path: Path, images: Path | None, trust_unlabelled: bool) -> CvatExport:
    """Open an export, zipped or unpacked; its images may be in the folder ``images`` instead.

    Raises:
        UserError: it is not such an export, or its label map, a list or its files are invalid.
    """
    archive = open_archive(
        path, (_LABELMAP, _META), 'an export in CVAT\'s format "Segmentation mask 1.1" (Menu > Export job dataset)'
    )
    labelmap = _labelmap(archive)
    subsets = _subsets(archive)
    masks = Masks(archive, labelmap, trust_unlabelled)
    if images is not None and not images.is_dir():
        raise UserError(f"--images {images}: no such folder")
    found = find_images(open_archive(images)) if images else find_images(archive, _IMAGES)
    if not found:
        raise UserError(
            f"{images or path}: contains no images. "
            'Export again with "Save images" ticked, or give --images FOLDER with the images named as in CVAT'
        )
    return CvatExport(path, labelmap, subsets, masks, found)


def _labelmap(archive: Archive) -> LabelMap:
    if _LABELMAP in archive.names:
        return parse_labelmap(_text(archive, _LABELMAP), f"{archive.path}: {_LABELMAP}")
    return parse_dataset_meta(_text(archive, _META), f"{archive.path}: {_META}")


def _subsets(archive: Archive) -> dict[str, list[str]]:
    """The subsets of every id, in the order of the subset files."""
    subsets: dict[str, list[str]] = {}
    for name in archive.names:
        if not name.startswith(_LISTS) or not name.endswith(".txt"):
            continue
        subset = name[len(_LISTS) : -len(".txt")]
        for line in _text(archive, name).splitlines():
            item_id = line.strip()
            if not item_id:
                continue
            if PurePosixPath(item_id).is_absolute() or ".." in PurePosixPath(item_id).parts:
                raise UserError(f"{archive.path}: {name}: lists {item_id!r}, which leaves the export; nothing was read")
            inside = subsets.setdefault(item_id, [])
            if subset not in inside:
                inside.append(subset)
    return subsets


def _text(archive: Archive, name: str) -> str:
    try:
        return archive.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{archive.path}: {name}: is not UTF-8 text ({error}): save it as UTF-8") from None
