"""``segstack data validate`` and ``preview``: what is in a data set."""

import argparse
import json
from pathlib import Path

from trainer.datasets.dataset import SPLITS, load_dataset
from trainer.errors import UserError


def add_validate(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``validate``."""
    parser.add_argument("data", type=Path, metavar="DATA", help="the data set's folder")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="also write everything found, as JSON")


def validate(options: argparse.Namespace) -> None:
    """Run ``validate``."""
    from trainer.datasets.validation import validate

    report = validate(load_dataset(options.data), ignore_cache=True)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(report)
    if report.errors:
        raise UserError(f"{options.data}: not fit for training: {report.summary()}")
    print(f"{options.data}: fit for training: {report.summary()}")


def add_preview(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``preview``."""
    parser.add_argument("data", type=Path, metavar="DATA", help="the data set's folder")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.png", help="the new image file")
    parser.add_argument("--split", choices=SPLITS, help="show this split only")
    parser.add_argument("--images", type=int, default=12, help="the largest number of images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="a different seed shows others (default: %(default)s)")
    parser.add_argument(
        "--classes", nargs="+", default=[], metavar="CLASS", help="only images with one of these, by name or id"
    )
    parser.add_argument("--width", type=int, default=240, help="width of each image, in pixels (default: %(default)s)")


def preview(options: argparse.Namespace) -> None:
    """Run ``preview``."""
    from trainer.datasets.preview import Sample, preview

    sample = Sample(options.split, options.images, options.seed, options.classes)
    shown = preview(load_dataset(options.data), options.output, sample, options.width)
    print(f"drawn: {len(shown)} images in {options.output}")
