"""``segclient image``: one image."""

import argparse
import sys
from pathlib import Path
from typing import Any

from segclient.commands.files import write
from segclient.commands.shared import add_command, asked, client

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
_EXTENSIONS = {"mask": ".png", "color": ".png", "overlay": ".jpg", "json": ".json"}


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``image``."""
    image = add_command(commands, "image", _image, "segment one image", ("mask", "overlay", "color", "json"))
    image.add_argument("image", help="a JPEG, PNG or WebP file; - is standard input")
    image.add_argument("--output", metavar="FILE", help="default: IMAGE-mask.png and so on; - is standard output")


def _image(options: argparse.Namespace) -> int:
    wanted: dict[str, Any] = asked(options)
    if options.kind == "overlay":
        wanted["alpha"] = options.alpha
    stem = "image" if options.image == "-" else Path(options.image).stem
    output = options.output or f"{stem}-{options.kind}{_EXTENSIONS[options.kind]}"
    suffix = Path(output).suffix.lower()
    if options.kind != "json" and suffix in _FORMATS:
        wanted["format"] = _FORMATS[suffix]
    image = sys.stdin.buffer.read() if options.image == "-" else options.image
    with client(options) as gateway:
        reply = gateway.render(image, options.kind, **wanted)
    if output == "-":
        sys.stdout.buffer.write(reply.body)
        sys.stdout.buffer.flush()
    else:
        write(Path(output), reply.body)
        took = f"{reply.timings.round_trip_ms:.0f} ms"
        print(f"{output}: {options.kind} by {reply.model} version {reply.version} in {took}")
    return 0
