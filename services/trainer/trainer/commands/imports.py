"""``python -m trainer data import-…``: one command for each kind of source."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.commands.quiet import import_tensorflow
from trainer.commands.shared import add_command

if TYPE_CHECKING:
    from trainer.sources.cvat.labelmap import Color
    from trainer.sources.import_report import ImportReport
    from trainer.sources.masks.reader import Kind, Meaning
    from trainer.sources.writing import Division


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Every importer."""
    cvat = add_command(commands, "import-cvat", _import_cvat, 'read CVAT\'s exports "Segmentation mask 1.1"')
    cvat.add_argument("exports", type=Path, nargs="+", metavar="export", help="a zip, or the unpacked folder")
    _output(cvat)
    cvat.add_argument("--images", type=Path, help="the images' folder, when they were not exported too")
    cvat.add_argument(
        "--trust-unlabelled", action="store_true", help="take a class also where SegmentationObject has no object"
    )
    cvat.add_argument(
        "--unlisted",
        choices=("leave", "blank"),
        default="leave",
        help="an image that has no label is left out, or is all background (default: %(default)s)",
    )
    cvat.add_argument(
        "--subsets-as-splits", action="store_true", help="a project's subsets Train, Validation, Test are the splits"
    )
    cvat.add_argument(
        "--merge-classes", action="store_true", help="take the labels of all exports, where they have different ones"
    )
    cvat.add_argument(
        "--ignore", action="append", default=[], metavar="LABEL", help="a label that is no class; may be repeated"
    )
    cvat.add_argument(
        "--prefix",
        choices=("auto", "always", "never"),
        default="auto",
        help="an image's id starts with its export's name: when there are several (auto), always, or never",
    )
    _division(cvat)

    folder = add_command(commands, "import-folder", _import_folder, "read images and masks that are paired by name")
    folder.add_argument("source", type=Path, help="the folder, or a zip of it")
    _output(folder)
    folder.add_argument("--rgb", default="rgb", metavar="NAME", help="the images in it (default: %(default)s)")
    folder.add_argument("--gt", default="gt", metavar="NAME", help="the masks in it (default: %(default)s)")
    folder.add_argument(
        "--masks-are",
        choices=("auto", "ids", "colors"),
        default="auto",
        help="what a mask holds: class ids, or the colours of the class file (default: whichever it can be)",
    )
    folder.add_argument(
        "--folders-as-splits", action="store_true", help="the images' folders train, val and test are the splits"
    )
    _meaning(folder)
    _division(folder)

    cityscapes = add_command(
        commands, "import-cityscapes", _import_cityscapes, "read Cityscapes: its official zips, or what is in them"
    )
    cityscapes.add_argument("sources", type=Path, nargs="+", metavar="source", help="the zips, or a folder of them")
    _output(cityscapes)

    tfds = add_command(
        commands, "import-tfds", _import_tfds, "read a set of TensorFlow Datasets, downloaded if need be"
    )
    tfds.add_argument("name", help="as TFDS calls it, such as oxford_iiit_pet, or the folder of a prepared set")
    _output(tfds)
    tfds.add_argument("--image-key", help="the feature that is the image (default: image, or what is known of the set)")
    tfds.add_argument("--mask-key", help="that is the mask (default: segmentation_mask, or what is known of the set)")
    tfds.add_argument(
        "--id-key", help="that names the image; `position` numbers the images (default: id, file_name, …)"
    )
    tfds.add_argument("--data-dir", type=Path, help="where TFDS keeps its sets (default: ~/tensorflow_datasets)")
    tfds.add_argument("--manual-dir", type=Path, help="where the files are that a set does not download itself")
    _meaning(tfds)
    _division(tfds)

    blank = add_command(commands, "blank-masks", _blank_masks, "write empty masks for images without any object")
    blank.add_argument("images", type=Path, help="the folder of images")
    blank.add_argument("--output", type=Path, required=True, help="the masks' folder; masks that are there stay")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, help="the new data set's folder")


def _division(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split-seed", type=int, default=0, help="another one divides otherwise (default: %(default)s)"
    )
    parser.add_argument(
        "--group-pattern",
        metavar="REGEX",
        help="images whose ids agree in it, or in its first parentheses, stay in one split: '(.*)_' for video_000001",
    )


def _meaning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="their names: labelmap.txt, or YAML or JSON such as {0: road, 1: car}",
    )
    parser.add_argument(
        "--map",
        type=_replacement,
        action="append",
        default=[],
        metavar="FROM=TO",
        help="a value of the masks stands for another, such as 255=1; may be repeated",
    )
    parser.add_argument(
        "--ignore",
        type=_value_or_color,
        action="append",
        default=[],
        metavar="VALUE",
        help="a value, or a colour R,G,B, that is no class; 255 is none anyway; may be repeated",
    )


def _replacement(text: str) -> tuple[int, int]:
    value, _, other = text.partition("=")
    return _value(value), _value(other)


def _value_or_color(text: str) -> "int | Color":
    if "," not in text:
        return _value(text)
    color = [_value(channel) for channel in text.split(",")]
    if len(color) != 3:
        raise argparse.ArgumentTypeError(f"{text!r} is no colour: expected R,G,B")
    return color[0], color[1], color[2]


def _value(text: str) -> int:
    if not text.isdecimal() or int(text) > 255:
        raise argparse.ArgumentTypeError(f"{text!r} is no value of an 8-bit mask: expected 0 to 255")
    return int(text)


def _meaning_of(options: argparse.Namespace, kind: "Kind" = "auto") -> "Meaning":
    from trainer.sources.masks.reader import Meaning

    return Meaning(options.classes, kind, dict(options.map), tuple(options.ignore))


def _division_of(options: argparse.Namespace) -> "Division":
    from trainer.sources.writing import Division

    return Division(options.split_seed, options.group_pattern)


def _import_cvat(options: argparse.Namespace) -> None:
    from trainer.sources.cvat.importer import import_cvat

    report = import_cvat(
        options.exports,
        options.output,
        images=options.images,
        trust_unlabelled=options.trust_unlabelled,
        unlisted_blank=options.unlisted == "blank",
        subsets_as_splits=options.subsets_as_splits,
        merge_classes=options.merge_classes,
        ignored=options.ignore,
        prefix=options.prefix,
        division=_division_of(options),
    )
    _say(report, options)


def _import_folder(options: argparse.Namespace) -> None:
    from trainer.sources.folder import import_folder

    report = import_folder(
        options.source,
        options.output,
        _meaning_of(options, options.masks_are),
        rgb=options.rgb,
        gt=options.gt,
        folders_as_splits=options.folders_as_splits,
        division=_division_of(options),
    )
    _say(report, options)


def _import_cityscapes(options: argparse.Namespace) -> None:
    from trainer.sources.cityscapes import import_cityscapes

    _say(import_cityscapes(options.sources, options.output), options)


def _import_tfds(options: argparse.Namespace) -> None:
    import_tensorflow()
    from trainer.sources.tfds.importer import import_tfds

    report = import_tfds(
        options.name,
        options.output,
        _meaning_of(options),
        image_key=options.image_key,
        mask_key=options.mask_key,
        id_key=options.id_key,
        data_dir=options.data_dir,
        manual_dir=options.manual_dir,
        division=_division_of(options),
    )
    _say(report, options)


def _blank_masks(options: argparse.Namespace) -> None:
    from trainer.sources.blank_masks import make_blank_masks

    masks = make_blank_masks(options.images, options.output)
    print(f"made: {masks.made} blank masks in {options.output}; {masks.kept} images had a mask and keep it")


def _say(report: "ImportReport", options: argparse.Namespace) -> None:
    print(f"{report}\nimported: {options.output}")
