"""``python -m trainer data …``: the commands that make a labelled set."""

import argparse
from pathlib import Path

from trainer.command import add_command


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Every command of ``data``."""
    drawn = add_command(commands, "synthesize", _synthesize, "draw a small labelled set, in CVAT's export layout")
    drawn.add_argument("--output", type=Path, required=True, help="the new folder")
    drawn.add_argument("--images", type=int, default=600, help="how many (default: %(default)s)")
    drawn.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(192, 256),
        metavar=("HEIGHT", "WIDTH"),
        help="in pixels (default: 192 256)",
    )
    drawn.add_argument("--seed", type=int, default=1, help="the same seed draws the same set (default: %(default)s)")
    drawn.add_argument("--scene", type=Path, help="also draw one large scene, on a photograph the set does not use")

    cvat = add_command(commands, "import-cvat", _import_cvat, 'read CVAT\'s export "Segmentation mask 1.1"')
    cvat.add_argument("export", type=Path, help="the zip, or the unpacked folder")
    cvat.add_argument("--output", type=Path, required=True, help="the new data set's folder")
    cvat.add_argument("--images", type=Path, help="the images' folder, when they were not exported too")
    cvat.add_argument(
        "--trust-unlabelled", action="store_true", help="take a class also where SegmentationObject has no object"
    )
    cvat.add_argument("--split-seed", type=int, default=0, help="another one divides otherwise (default: %(default)s)")


def _synthesize(options: argparse.Namespace) -> None:
    from trainer.data.synthesize import draw_scene, synthesize

    height, width = options.size
    synthesize(options.output, options.images, height, width, options.seed)
    print(f"drawn: {options.images} images in {options.output}")
    if options.scene:
        draw_scene(options.scene, 768, 1024, options.seed)
        print(f"drawn: {options.scene}")


def _import_cvat(options: argparse.Namespace) -> None:
    from trainer.data.cvat import import_cvat

    print(import_cvat(options.export, options.output, options.images, options.split_seed, options.trust_unlabelled))
    print(f"imported: {options.output}")
