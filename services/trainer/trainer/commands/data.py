"""``segstack data``: the verbs that make, check and show a labelled data set."""

import argparse
from pathlib import Path

from trainer.commands import augment, frames, imports, inspect
from trainer.commands.shared import add_verb, import_tensorflow

SUMMARY = "import, check, show, augment or draw a labelled data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every verb of ``data``."""
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    add_verb(verbs, "import", imports.SUMMARY, imports.add_arguments)
    add_verb(verbs, "validate", "check a data set, and suggest class weights", inspect.add_validate, inspect.validate)
    add_verb(
        verbs,
        "preview",
        "draw images, masks and overlays of a data set on one sheet",
        inspect.add_preview,
        inspect.preview,
    )
    add_verb(verbs, "augment", augment.SUMMARY, augment.add_arguments, augment.run)
    add_verb(verbs, "frames", "take still images from videos, to be labelled", frames.add_frames, frames.frames)
    add_verb(
        verbs,
        "blank-masks",
        "write empty masks for images without any object",
        frames.add_blank_masks,
        frames.blank_masks,
    )
    add_verb(verbs, "build", "write a data set as TFDS, for tfds.builder_from_directory", _add_build, _build)
    add_verb(
        verbs, "synthesize", "draw a small labelled data set, in CVAT's export layout", _add_synthesize, _synthesize
    )


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", type=Path, metavar="DATA", help="a data set's folder; or a folder or zip with rgb/ and gt/"
    )
    parser.add_argument("--output", type=Path, required=True, help="where TFDS data sets are kept; gets NAME/VERSION")
    parser.add_argument("--name", help="letters, digits and _ (default: the source's name)")
    parser.add_argument("--version", default="1.0.0", help="default: %(default)s")
    parser.add_argument(
        "--classes", type=Path, help="the class file for rgb/ and gt/, as `data import folder` accepts it"
    )


def _build(options: argparse.Namespace) -> None:
    import_tensorflow()
    from trainer.sources.tfds.builder import build

    folder = build(options.source, options.output, options.name, options.version, options.classes)
    print(f"built: {folder}\nread it with tfds.builder_from_directory({str(folder)!r})")


def _add_synthesize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", type=Path, required=True, help="the new folder")
    parser.add_argument("--images", type=int, default=600, help="number of images (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(192, 256),
        metavar=("HEIGHT", "WIDTH"),
        help="in pixels (default: 192 256)",
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same set (default: %(default)s)")
    parser.add_argument("--scene", type=Path, help="also draw one large scene, on a photograph the set does not use")


def _synthesize(options: argparse.Namespace) -> None:
    from trainer.sources.drawn.scenes import draw_scene, synthesize

    height, width = options.size
    synthesize(options.output, options.images, height, width, options.seed)
    print(f"drawn: {options.images} images in {options.output}")
    if options.scene:
        draw_scene(options.scene, 768, 1024, options.seed)
        print(f"drawn: {options.scene}")
