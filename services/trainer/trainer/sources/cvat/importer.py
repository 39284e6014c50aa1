"""``segstack data import cvat``: CVAT's "Segmentation mask 1.1" exports.

A listed frame without a mask is all background; an image that is neither listed nor has a mask is unlabelled and
skipped.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError, require_absent
from trainer.sources.cvat.export import CvatExport, open_export
from trainer.sources.cvat.masks import Masks
from trainer.sources.cvat.merged_classes import merge_labelmaps
from trainer.sources.writing import DEFAULT_SPLIT, ImportReport, LabelledImage, SplitConfig, write_dataset

Prefix = Literal["auto", "always", "never"]


def import_cvat(
    exports: Sequence[Path],
    output: Path,
    *,
    images: Path | None = None,
    trust_unlabelled: bool = False,
    unlisted_blank: bool = False,
    subsets_as_splits: bool = False,
    merge_classes: bool = False,
    ignored: Collection[str] = (),
    prefix: Prefix = "auto",
    split_config: SplitConfig = DEFAULT_SPLIT,
) -> ImportReport:
    """Read CVAT exports (zips or folders) into the new data set ``output``.

    Args:
        exports: zips or folders that contain ``labelmap.txt``, or ``dataset_meta.json`` in its place.
        output: a new folder.
        images: the images' folder, if the exports do not contain them; or their sub-folder named after the export.
        trust_unlabelled: keep a class where SegmentationObject has no object; see :class:`Masks`.
        unlisted_blank: import an image that is neither listed nor has a mask as all background.
        subsets_as_splits: a project's subsets Train, Validation and Test are the splits.
        merge_classes: accept exports whose labels differ; see :func:`merge_labelmaps`.
        ignored: labels whose pixels get the ignore id.
        prefix: begin ids with the export's name: ``auto`` if there are several exports, as CVAT numbers the frames of
            each from 0; ``always`` for a first export to which others will be added, so that no image changes its
            split then.
        split_config: how the data set is split.

    Raises:
        UserError: a label cannot be trusted. Nothing is written then.
    """
    require_absent(output)
    named = {_name(path): path for path in exports}
    if len(named) < len(exports):
        twice = next(name for name, count in Counter(map(_name, exports)).items() if count > 1)
        raise UserError(f"two exports are named {twice!r}, and the names distinguish their images: rename one")
    prefixed = prefix == "always" or (prefix == "auto" and len(exports) > 1)
    opened = {name: open_export(path, _images_of(images, name), trust_unlabelled) for name, path in named.items()}
    _require_masks(opened)
    _require_own_images(opened)
    merged = merge_labelmaps({name: export.labelmap for name, export in opened.items()}, merge_classes, ignored)

    report = ImportReport(notes=[_all_background(e) for e in opened.values() if not e.masks.names])
    labelled: dict[str, LabelledImage] = {}
    claimed = {e.images[i].name for e in opened.values() for i in e.labelled if i in e.images}
    for name, export in opened.items():
        start = f"{name}/" if prefixed else ""
        for item_id in _usable_ids(export, start, claimed, unlisted_blank, report):
            if start + item_id in labelled:
                raise UserError(
                    f"{item_id} is in two exports, the second is {export.path}: omit --prefix never, so that "
                    "every id begins with its export's name"
                )
            labelled[start + item_id] = LabelledImage(
                start + item_id,
                export.images[item_id],
                partial(_read_mask, export.masks, merged.id_of[name], item_id),
                export.split(item_id) if subsets_as_splits else None,
            )
    splits = {image.split for image in labelled.values()}
    split = (
        replace(image, split=image.split and split_config.keep(image.id, image.split, splits))
        for image in labelled.values()
    )
    return write_dataset(split, len(labelled), merged.classes, output, split_config, report)


def _name(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def _images_of(images: Path | None, name: str) -> Path | None:
    """The export's sub-folder of the images' folder, or the whole folder."""
    return images / name if images and (images / name).is_dir() else images


def _require_masks(exports: dict[str, CvatExport]) -> None:
    """Raise UserError if no export has a mask: CVAT omits the folder of masks if nothing is labelled."""
    if not any(export.masks.names for export in exports.values()):
        paths = " and ".join(str(export.path) for export in exports.values())
        raise UserError(
            f"{paths}: contains no mask (SegmentationClass/ is missing or empty), so every image would be background: "
            'export again from CVAT as "Segmentation mask 1.1"'
        )


def _all_background(export: CvatExport) -> str:
    return f"{export.path} contains no mask: all of its {len(export.labelled)} frames are background"


def _require_own_images(exports: dict[str, CvatExport]) -> None:
    """Raise UserError if two exports label the same file: frame_000000 is another image in each export."""
    owner: dict[str, str] = {}
    for name, export in exports.items():
        for item_id in export.labelled:
            image = export.images.get(item_id)
            if image and owner.setdefault(image.name, name) != name:
                raise UserError(
                    f"{image.name} is labelled in {owner[image.name]} and in {name}: put each export's images "
                    f"into a sub-folder of --images with its name, such as {name}/"
                )


def _usable_ids(
    export: CvatExport, start: str, claimed: set[str], unlisted_blank: bool, report: ImportReport
) -> list[str]:
    """The ids to import; the others are added to the report, with the prefix ``start``.

    ``claimed`` has the names of the images that are labelled in some export or have been reported: those are not
    reported as unlabelled.
    """
    usable = [i for i in export.labelled if i in export.images]
    if not usable:
        label, image = next(iter([*export.labelled, None])), next(iter(export.images))
        raise UserError(
            f"{export.path}: no image belongs to any of its {len(export.labelled)} labels. The names must be equal: "
            f"a label is named {label!r}, an image {image!r}"
        )
    unlabelled = sorted(i for i, image in export.images.items() if image.name not in claimed)
    claimed.update(export.images[i].name for i in unlabelled)
    for ids, found in (
        (report.imported_as_blank if unlisted_blank else report.unlabelled, unlabelled),
        (report.unlisted, export.unlisted),
        (report.without_image, [i for i in export.labelled if i not in export.images]),
    ):
        ids.extend(start + i for i in found)
    return [*usable, *unlabelled] if unlisted_blank else usable


def _read_mask(masks: Masks, table: NDArray[np.uint8], item_id: str, height: int, width: int) -> NDArray[np.uint8]:
    return table[masks.read(item_id, height, width)]
