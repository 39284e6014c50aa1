"""``python -m trainer data frames|validate|preview|build``: before, about and after a labelled set."""

import argparse
import json
import re
from pathlib import Path

from trainer.commands.shared import add_command
from trainer.datasets.dataset import SPLITS


def add_commands(commands: argparse._SubParsersAction) -> None:
    """These four."""
    frames = add_command(commands, "frames", _frames, "take still images from videos, to be labelled")
    frames.add_argument("videos", type=Path, nargs="+", metavar="video")
    frames.add_argument("--output", type=Path, required=True, help="the images' folder")
    density = frames.add_mutually_exclusive_group()
    density.add_argument("--fps", type=float, default=1.0, help="images a second (default: %(default)s)")
    density.add_argument("--every", type=int, metavar="N", help="each N-th frame instead")
    frames.add_argument("--start", type=_time, default=0.0, metavar="TIME", help="seconds, or [H:]MM:SS")
    frames.add_argument("--end", type=_time, metavar="TIME", help="likewise")
    frames.add_argument(
        "--min-difference",
        type=float,
        default=0.0,
        metavar="LEVELS",
        help="leave out what differs less from the last image kept, in mean grey levels of 255; 2 is hardly visible",
    )
    frames.add_argument("--format", choices=("jpg", "png"), default="jpg", help="default: %(default)s")
    frames.add_argument("--quality", type=int, default=95, help="of a JPEG, 1 to 100 (default: %(default)s)")

    checked = add_command(commands, "validate", _validate, "check a data set, and suggest class weights")
    checked.add_argument("data", type=Path, help="the data set's folder")
    checked.add_argument("--report", type=Path, metavar="FILE.json", help="also write everything found, for machines")

    shown = add_command(commands, "preview", _preview, "draw images, masks and overlays of a data set on one sheet")
    shown.add_argument("data", type=Path, help="the data set's folder")
    shown.add_argument("--output", type=Path, required=True, metavar="FILE.png", help="the new picture")
    shown.add_argument("--split", choices=SPLITS, help="only of this split")
    shown.add_argument("--images", type=int, default=12, help="at most how many (default: %(default)s)")
    shown.add_argument("--seed", type=int, default=0, help="another one shows others (default: %(default)s)")
    shown.add_argument(
        "--classes", nargs="+", default=[], metavar="CLASS", help="only images that have one of these, by name or id"
    )
    shown.add_argument("--width", type=int, default=240, help="of each picture, in pixels (default: %(default)s)")

    built = add_command(commands, "build", _build, "write a data set as TFDS, for tfds.builder_from_directory")
    built.add_argument("source", type=Path, help="a data set's folder; or a folder or zip that holds rgb/ and gt/")
    built.add_argument("--output", type=Path, required=True, help="where TFDS data sets lie; gets NAME/VERSION")
    built.add_argument("--name", help="letters, digits and _ (default: as the source is called)")
    built.add_argument("--version", default="1.0.0", help="default: %(default)s")
    built.add_argument(
        "--classes", type=Path, help="of rgb/ and gt/: what their values mean, as import-folder takes it"
    )


def _time(text: str) -> float:
    """Seconds of ``90``, ``1:30`` or ``0:01:30.5``."""
    total = 0.0
    for part in text.split(":"):
        if not re.fullmatch(r"\d+(\.\d*)?", part):
            raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, or [H:]MM:SS")
        total = total * 60 + float(part)
    return total


def _frames(options: argparse.Namespace) -> None:
    from trainer.sources.frames import GROUP_PATTERN, FrameChoice, extract_frames

    choice = FrameChoice(options.every, options.fps, options.start, options.end, options.min_difference)
    for video in extract_frames(options.videos, options.output, choice, options.format, options.quality):
        alike = f", {video.alike} left out that look like the one before" if video.alike else ""
        print(f"{video.video}: {video.written} images{alike}")
    print(f"written to {options.output}; import their labels with --group-pattern '{GROUP_PATTERN}'")


def _validate(options: argparse.Namespace) -> None:
    from trainer.datasets.dataset import load_dataset
    from trainer.datasets.validation import validate
    from trainer.errors import UserError

    report = validate(load_dataset(options.data), afresh=True)
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(report)
    if report.errors:
        raise UserError(f"{options.data}: not fit for training: {report.summary()}")
    print(f"{options.data}: fit for training: {report.summary()}")


def _preview(options: argparse.Namespace) -> None:
    from trainer.datasets.dataset import load_dataset
    from trainer.datasets.preview import Sample, preview

    sample = Sample(options.split, options.images, options.seed, options.classes)
    shown = preview(load_dataset(options.data), options.output, sample, options.width)
    print(f"drawn: {len(shown)} images in {options.output}")


def _build(options: argparse.Namespace) -> None:
    from trainer.commands.quiet import import_tensorflow

    import_tensorflow()
    from trainer.sources.tfds.builder import build

    folder = build(options.source, options.output, options.name, options.version, options.classes)
    print(f"built: {folder}\nread it with tfds.builder_from_directory({str(folder)!r})")
