"""``data import-cvat``: CVAT's "Segmentation mask 1.1" exports to a data set that can be trusted.

A frame that is listed and has no mask is all background; an image that is neither listed nor drawn is unlabelled and
left out.
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
from trainer.sources.writing import SPLIT_BY_ID, ImportReport, LabelledImage, SplitConfig, write_dataset

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
    split_config: SplitConfig = SPLIT_BY_ID,
) -> ImportReport:
    """Read CVAT exports (zips or folders) into the new data set ``output``.

    Args:
        exports: zips or folders that hold ``labelmap.txt``, or ``dataset_meta.json`` in its place.
        output: a folder that does not exist yet.
        images: where the images are, when the exports do not hold them: in a sub-folder with the export's name, if
            there is one.
        trust_unlabelled: take a class where SegmentationObject has no object; see :class:`Masks`.
        unlisted_blank: take an image that is neither listed nor drawn as all background.
        subsets_as_splits: a project's subsets Train, Validation and Test are the splits.
        merge_classes: also when the exports' labels differ; see :func:`merge_labelmaps`.
        ignored: labels by which somebody marked what is no class; their pixels get the ignore id.
        prefix: ids start with the export's name: ``auto`` when there are several exports, whose frames CVAT numbers
            alike; ``always`` for a first export that others will join, so that no image moves to another split then.
        split_config: how the data set divides.

    Raises:
        UserError: anything about the exports that makes a label doubtful. Nothing is written then.
    """
    require_absent(output)
    named = {_name(path): path for path in exports}
    if len(named) < len(exports):
        twice = next(name for name, count in Counter(map(_name, exports)).items() if count > 1)
        raise UserError(f"two exports are called {twice!r}, and their images are told apart by that: rename one")
    prefixed = prefix == "always" or (prefix == "auto" and len(exports) > 1)
    opened = {name: open_export(path, _images_of(images, name), trust_unlabelled) for name, path in named.items()}
    _refuse_no_mask(opened)
    _refuse_common_images(opened)
    merged = merge_labelmaps({name: export.labelmap for name, export in opened.items()}, merge_classes, ignored)

    report = ImportReport(notes=[_all_background(e) for e in opened.values() if not e.masks.names])
    labelled: dict[str, LabelledImage] = {}
    claimed = {e.pictures[i].name for e in opened.values() for i in e.labelled if i in e.pictures}
    for name, export in opened.items():
        start = f"{name}/" if prefixed else ""
        for item_id in _usable_ids(export, start, claimed, unlisted_blank, report):
            if start + item_id in labelled:
                raise UserError(
                    f"{item_id} is in two exports, the second is {export.path}: leave out --prefix never, and every "
                    "id starts with its export's name"
                )
            labelled[start + item_id] = LabelledImage(
                start + item_id,
                export.pictures[item_id],
                partial(_read_mask, export.masks, merged.id_of[name], item_id),
                export.split(item_id) if subsets_as_splits else None,
            )
    splits = {image.split for image in labelled.values()}
    divided = (
        replace(image, split=image.split and split_config.keep(image.id, image.split, splits))
        for image in labelled.values()
    )
    return write_dataset(divided, len(labelled), merged.classes, output, split_config, report)


def _name(path: Path) -> str:
    return path.resolve().name if path.is_dir() else path.stem


def _images_of(images: Path | None, name: str) -> Path | None:
    """The export's own folder below the images' folder, or all of it."""
    return images / name if images and (images / name).is_dir() else images


def _refuse_no_mask(exports: dict[str, CvatExport]) -> None:
    """CVAT leaves the folder of masks out where nothing is drawn: right beside other exports, doubtful alone."""
    if not any(export.masks.names for export in exports.values()):
        paths = " and ".join(str(export.path) for export in exports.values())
        raise UserError(
            f"{paths}: holds no mask (SegmentationClass/ is missing or empty), so every image would be background: "
            'export again from CVAT as "Segmentation mask 1.1"'
        )


def _all_background(export: CvatExport) -> str:
    return f"{export.path} holds no mask (SegmentationClass/): all of its {len(export.labelled)} frames are background"


def _refuse_common_images(exports: dict[str, CvatExport]) -> None:
    """One image cannot be of two exports: frame_000000 is a picture of its own in each."""
    owner: dict[str, str] = {}
    for name, export in exports.items():
        for item_id in export.labelled:
            picture = export.pictures.get(item_id)
            if picture and owner.setdefault(picture.name, name) != name:
                raise UserError(
                    f"{picture.name} is labelled in {owner[picture.name]} and in {name}: put each export's images "
                    f"into a folder of its name, such as {name}/, below --images"
                )


def _usable_ids(
    export: CvatExport, start: str, claimed: set[str], unlisted_blank: bool, report: ImportReport
) -> list[str]:
    """The ids to import; what they leave out goes into the report, its ids beginning with ``start``.

    ``claimed`` names the pictures that need not be reported as unlabelled, because they are labelled in some export
    or have been reported.
    """
    usable = [i for i in export.labelled if i in export.pictures]
    if not usable:
        label, image = next(iter([*export.labelled, None])), next(iter(export.pictures))
        raise UserError(
            f"{export.path}: no image belongs to any of its {len(export.labelled)} labels. The names must agree: a "
            f"label is called {label!r}, an image {image!r}"
        )
    unlabelled = sorted(i for i, picture in export.pictures.items() if picture.name not in claimed)
    claimed.update(export.pictures[i].name for i in unlabelled)
    for ids, found in (
        (report.taken_as_blank if unlisted_blank else report.unlabelled, unlabelled),
        (report.unlisted, export.unlisted),
        (report.without_image, [i for i in export.labelled if i not in export.pictures]),
    ):
        ids.extend(start + i for i in found)
    return [*usable, *unlabelled] if unlisted_blank else usable


def _read_mask(masks: Masks, table: NDArray[np.uint8], item_id: str, height: int, width: int) -> NDArray[np.uint8]:
    return table[masks.read(item_id, height, width)]
