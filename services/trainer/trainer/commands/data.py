"""``python -m trainer data …``: the commands that make a labelled set."""

import argparse
from pathlib import Path

from trainer.commands import augment as augment_command
from trainer.commands import imports as import_commands
from trainer.commands import inspect as inspect_commands
from trainer.commands.shared import add_command


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
    import_commands.add_commands(commands)
    augment_command.add_commands(commands)
    inspect_commands.add_commands(commands)


def _synthesize(options: argparse.Namespace) -> None:
    from trainer.sources.drawn.scenes import draw_scene, synthesize

    height, width = options.size
    synthesize(options.output, options.images, height, width, options.seed)
    print(f"drawn: {options.images} images in {options.output}")
    if options.scene:
        draw_scene(options.scene, 768, 1024, options.seed)
        print(f"drawn: {options.scene}")
