"""One CVAT export "Segmentation mask 1.1", opened: its label map, its lists, its masks and its images."""

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
    """``subsets`` holds for every listed id, in order, the subset files that list it; ``pictures`` every image."""

    path: Path
    labelmap: LabelMap
    subsets: dict[str, list[str]]
    masks: Masks
    pictures: dict[str, EncodedImage]

    @property
    def labelled(self) -> list[str]:
        """The ids that are listed, in order, then those that only have a mask."""
        return [*self.subsets, *self.unlisted]

    @property
    def unlisted(self) -> list[str]:
        """The ids that have a mask and stand in no list."""
        return sorted(self.masks.names.keys() - self.subsets.keys())

    def split(self, item_id: str) -> str:
        """The split that a project's subset ``Train``, ``Validation`` or ``Test`` means.

        Raises:
            UserError: the image is in another subset, in several, or in none.
        """
        subsets = self.subsets.get(item_id, [])
        splits = [SPLIT_ALIASES.get(subset.casefold()) for subset in subsets]
        if len(splits) != 1 or splits[0] is None:
            found = " and ".join(map(repr, sorted(subsets))) or "no subset"
            raise UserError(
                f"{self.path}: {item_id} is in {found}: --subsets-as-splits expects each image in one of Train, "
                "Validation, Test; set its task's subset in CVAT, or leave the option out"
            )
        return splits[0]


def open_export(path: Path, images: Path | None, trust_unlabelled: bool) -> CvatExport:
    """Open an export, zipped or unpacked; its images may lie in the folder ``images``.

    Raises:
        UserError: not such an export, or a label map, list or set of files that cannot be trusted.
    """
    archive = open_archive(
        path, (_LABELMAP, _META), 'an export in CVAT\'s format "Segmentation mask 1.1" (Menu > Export job dataset)'
    )
    labelmap = _labelmap(archive)
    subsets = _subsets(archive)
    masks = Masks(archive, labelmap, trust_unlabelled)
    if images is not None and not images.is_dir():
        raise UserError(f"--images {images}: no such folder")
    pictures = find_images(open_archive(images)) if images else find_images(archive, _IMAGES)
    if not pictures:
        raise UserError(
            f"{images or path}: holds no images. "
            'Export again with "Save images" ticked, or give --images FOLDER with the images under their names in CVAT'
        )
    return CvatExport(path, labelmap, subsets, masks, pictures)


def _labelmap(archive: Archive) -> LabelMap:
    if _LABELMAP in archive.names:
        return parse_labelmap(_text(archive, _LABELMAP), f"{archive.path}: {_LABELMAP}")
    return parse_dataset_meta(_text(archive, _META), f"{archive.path}: {_META}")


def _subsets(archive: Archive) -> dict[str, list[str]]:
    """For every id of every subset file, in order, the subsets it stands in."""
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
