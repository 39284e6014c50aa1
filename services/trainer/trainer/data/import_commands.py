"""``python -m trainer data import-…``: one command for each kind of source."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.command import add_command

if TYPE_CHECKING:
    from trainer.data.importing import Division


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
        "--prefix",
        choices=("auto", "always", "never"),
        default="auto",
        help="an image's id starts with its export's name: when there are several (auto), always, or never",
    )
    _division(cvat)


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


def _division_of(options: argparse.Namespace) -> "Division":
    from trainer.data.importing import Division

    return Division(options.split_seed, options.group_pattern)


def _import_cvat(options: argparse.Namespace) -> None:
    from trainer.data.cvat import import_cvat

    report = import_cvat(
        options.exports,
        options.output,
        images=options.images,
        trust_unlabelled=options.trust_unlabelled,
        unlisted_blank=options.unlisted == "blank",
        subsets_as_splits=options.subsets_as_splits,
        merge_classes=options.merge_classes,
        prefix=options.prefix,
        division=_division_of(options),
    )
    print(f"{report}\nimported: {options.output}")
