"""``segstack data frames`` and ``blank-masks``: what comes before labelling."""

import argparse
import re
from pathlib import Path


def add_frames(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``frames``."""
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("--output", type=Path, required=True, help="the images' folder")
    density = parser.add_mutually_exclusive_group()
    density.add_argument("--fps", type=float, default=1.0, help="images per second (default: %(default)s)")
    density.add_argument("--every", type=int, metavar="N", help="keep every n-th frame instead")
    parser.add_argument("--start", type=_time, default=0.0, metavar="TIME", help="seconds, or [H:]MM:SS")
    parser.add_argument("--end", type=_time, metavar="TIME", help="exclusive; seconds, or [H:]MM:SS")
    parser.add_argument(
        "--min-difference",
        type=float,
        default=0.0,
        metavar="LEVELS",
        help="skip a frame that differs less from the last one kept, in mean grey levels of 255; 2 is hardly visible",
    )
    parser.add_argument("--format", choices=("jpg", "png"), default="jpg", help="default: %(default)s")
    parser.add_argument("--quality", type=int, default=95, help="JPEG quality, 1 to 100 (default: %(default)s)")


def frames(options: argparse.Namespace) -> None:
    """Run ``frames``."""
    from trainer.sources.frames import GROUP_PATTERN, FrameChoice, extract_frames

    choice = FrameChoice(options.every, options.fps, options.start, options.end, options.min_difference)
    for video in extract_frames(options.videos, options.output, choice, options.format, options.quality):
        skipped = f"; {video.similar} similar frames skipped" if video.similar else ""
        print(f"{video.video}: {video.written} images{skipped}")
    print(f"written to {options.output}; import their labels with --group-pattern '{GROUP_PATTERN}'")


def add_blank_masks(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``blank-masks``."""
    parser.add_argument("images", type=Path, metavar="IMAGES", help="the folder of images")
    parser.add_argument("--output", type=Path, required=True, help="the masks' folder; existing masks are kept")


def blank_masks(options: argparse.Namespace) -> None:
    """Run ``blank-masks``."""
    from trainer.sources.blank_masks import make_blank_masks

    masks = make_blank_masks(options.images, options.output)
    print(f"written: {masks.written} blank masks in {options.output}; {masks.kept} images already had a mask")


def _time(text: str) -> float:
    """Seconds of ``90``, ``1:30`` or ``0:01:30.5``."""
    total = 0.0
    for part in text.split(":"):
        if not re.fullmatch(r"\d+(\.\d*)?", part):
            raise argparse.ArgumentTypeError(f"{text!r}: expected seconds, or [H:]MM:SS")
        total = total * 60 + float(part)
    return total
