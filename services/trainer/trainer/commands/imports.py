"""``segstack data import``: an importer for each kind of source. A new one is two functions and a line in IMPORTERS."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.commands.shared import add_verb, import_tensorflow

if TYPE_CHECKING:
    from trainer.datasets.class_colors import Color
    from trainer.sources.masks.reader import Kind, LabelMapping
    from trainer.sources.writing import ImportReport, SplitConfig

SUMMARY = "import labelled images as a data set"


@dataclass(frozen=True)
class Importer:
    """What the command line knows of one kind of source.

    Attributes:
        summary: its line of help.
        add_arguments: adds everything but ``--output``.
        read: imports what the arguments name into the folder ``options.output``.
    """

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    read: Callable[[argparse.Namespace], "ImportReport"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every importer."""
    sources = parser.add_subparsers(required=True, metavar="SOURCE")
    for name, importer in IMPORTERS.items():
        add_verb(sources, name, importer.summary, _arguments_of(importer), _run(importer))


def _arguments_of(importer: Importer) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        importer.add_arguments(parser)
        parser.add_argument("--output", type=Path, required=True, help="the new data set's folder")

    return add


def _run(importer: Importer) -> Callable[[argparse.Namespace], None]:
    def read(options: argparse.Namespace) -> None:
        print(f"{importer.read(options)}\nimported: {options.output}")

    return read


def _add_cvat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("exports", type=Path, nargs="+", metavar="SOURCE", help="a zip, or the unpacked folder")
    parser.add_argument("--images", type=Path, help="the images' folder, if they were not exported too")
    parser.add_argument(
        "--trust-unlabelled", action="store_true", help="keep a class also where SegmentationObject has no object"
    )
    parser.add_argument(
        "--unlisted",
        choices=("leave", "blank"),
        default="leave",
        help="an image without a label is skipped, or is all background (default: %(default)s)",
    )
    parser.add_argument(
        "--subsets-as-splits", action="store_true", help="a project's subsets Train, Validation, Test are the splits"
    )
    parser.add_argument(
        "--merge-classes", action="store_true", help="take the union of the labels of exports that differ in them"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="LABEL", help="a label to ignore; may be repeated"
    )
    parser.add_argument(
        "--prefix",
        choices=("auto", "always", "never"),
        default="auto",
        help="begin an image's id with its export's name: if there are several exports (auto), always, or never",
    )
    _add_split(parser)


def _import_cvat(options: argparse.Namespace) -> "ImportReport":
    from trainer.sources.cvat.importer import import_cvat

    return import_cvat(
        options.exports,
        options.output,
        images=options.images,
        trust_unlabelled=options.trust_unlabelled,
        unlisted_blank=options.unlisted == "blank",
        subsets_as_splits=options.subsets_as_splits,
        merge_classes=options.merge_classes,
        ignored=options.ignore,
        prefix=options.prefix,
        split_config=_split_of(options),
    )


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder, or a zip of it")
    parser.add_argument("--rgb", default="rgb", metavar="NAME", help="its folder of images (default: %(default)s)")
    parser.add_argument("--gt", default="gt", metavar="NAME", help="its folder of masks (default: %(default)s)")
    parser.add_argument(
        "--masks-are",
        choices=("auto", "ids", "colors"),
        default="auto",
        help="what a mask contains: class ids, or the colours of the class file (default: whichever fits)",
    )
    parser.add_argument(
        "--folders-as-splits", action="store_true", help="the images' folders train, val and test are the splits"
    )
    _add_mapping(parser)
    _add_split(parser)


def _import_folder(options: argparse.Namespace) -> "ImportReport":
    from trainer.sources.folder import import_folder

    return import_folder(
        options.source,
        options.output,
        _mapping_of(options, options.masks_are),
        rgb=options.rgb,
        gt=options.gt,
        folders_as_splits=options.folders_as_splits,
        split_config=_split_of(options),
    )


def _add_cityscapes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE", help="the zips, or a folder of them")


def _import_cityscapes(options: argparse.Namespace) -> "ImportReport":
    from trainer.sources.cityscapes import import_cityscapes

    return import_cityscapes(options.sources, options.output)


def _add_tfds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="SOURCE",
        help="the set's name in TFDS, such as oxford_iiit_pet, or the folder of a prepared set",
    )
    parser.add_argument("--image-key", help="the image feature (default: image, or the set's own where it is known)")
    parser.add_argument(
        "--mask-key", help="the mask feature (default: segmentation_mask, or the set's own where it is known)"
    )
    parser.add_argument(
        "--id-key",
        help="the feature that names the image; `position` numbers the images (default: id, file_name, …)",
    )
    parser.add_argument("--data-dir", type=Path, help="TFDS's folder of sets (default: ~/tensorflow_datasets)")
    parser.add_argument("--manual-dir", type=Path, help="the folder of files that TFDS cannot download itself")
    _add_mapping(parser)
    _add_split(parser)


def _import_tfds(options: argparse.Namespace) -> "ImportReport":
    import_tensorflow()
    from trainer.sources.tfds.importer import import_tfds

    return import_tfds(
        options.name,
        options.output,
        _mapping_of(options),
        image_key=options.image_key,
        mask_key=options.mask_key,
        id_key=options.id_key,
        data_dir=options.data_dir,
        manual_dir=options.manual_dir,
        split_config=_split_of(options),
    )


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split-seed", type=int, default=0, help="a different seed gives a different split (default: %(default)s)"
    )
    parser.add_argument(
        "--group-pattern",
        metavar="REGEX",
        help="images whose ids agree in its match, or its first group, stay in one split: '(.*)_' for video_000001",
    )


def _split_of(options: argparse.Namespace) -> "SplitConfig":
    from trainer.sources.writing import SplitConfig

    return SplitConfig(options.split_seed, options.group_pattern)


def _add_mapping(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="the class names: labelmap.txt, or YAML or JSON such as {0: road, 1: car}",
    )
    parser.add_argument(
        "--map",
        type=_replacement,
        action="append",
        default=[],
        metavar="FROM=TO",
        help="replace a value of the masks by another, such as 255=1; may be repeated",
    )
    parser.add_argument(
        "--ignore",
        type=_value_or_color,
        action="append",
        default=[],
        metavar="VALUE",
        help="a value, or a colour R,G,B, to ignore; 255 always is; may be repeated",
    )


def _mapping_of(options: argparse.Namespace, kind: "Kind" = "auto") -> "LabelMapping":
    from trainer.sources.masks.reader import LabelMapping

    return LabelMapping(options.classes, kind, dict(options.map), tuple(options.ignore))


def _replacement(text: str) -> tuple[int, int]:
    value, _, other = text.partition("=")
    return _value(value), _value(other)


def _value_or_color(text: str) -> "int | Color":
    if "," not in text:
        return _value(text)
    color = [_value(channel) for channel in text.split(",")]
    if len(color) != 3:
        raise argparse.ArgumentTypeError(f"{text!r} is not a colour: expected R,G,B")
    return color[0], color[1], color[2]


def _value(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise argparse.ArgumentTypeError(f"{text!r} is not a value of an 8-bit mask: expected 0 to 255")
    return int(text)


IMPORTERS = {
    "cvat": Importer('read CVAT\'s exports "Segmentation mask 1.1"', _add_cvat, _import_cvat),
    "folder": Importer("read images and masks that are paired by name", _add_folder, _import_folder),
    "cityscapes": Importer(
        "read Cityscapes: its official zips, or what is in them", _add_cityscapes, _import_cityscapes
    ),
    "tfds": Importer("read a set of TensorFlow Datasets, downloaded if necessary", _add_tfds, _import_tfds),
}
