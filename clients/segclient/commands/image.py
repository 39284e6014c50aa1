"""``segclient image``: segment one image."""

import argparse
import sys
from pathlib import Path

from segclient.api.parameters import RenderParameters
from segclient.commands.atomic_write import write_bytes
from segclient.commands.forms import FORMS
from segclient.commands.shared import add_command, create_client, segment_parameters

_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add ``image``."""
    parser = add_command(commands, "image", _image, "segment one image", default="mask")
    parser.add_argument("image", help="a JPEG, PNG or WebP file; - reads standard input")
    parser.add_argument(
        "--output", metavar="FILE", help="default: IMAGE-mask.png and so on; - writes to standard output"
    )


def _image(options: argparse.Namespace) -> int:
    parameters: RenderParameters = segment_parameters(options)
    if options.form == "overlay":
        parameters["alpha"] = options.alpha
    stem = "image" if options.image == "-" else Path(options.image).stem
    output = options.output or f"{stem}-{options.form}{FORMS[options.form].image}"
    suffix = Path(output).suffix.lower()
    if options.form != "json" and suffix in _FORMATS:
        parameters["format"] = _FORMATS[suffix]  # type: ignore[typeddict-item]
    image = sys.stdin.buffer.read() if options.image == "-" else options.image
    with create_client(options) as client:
        reply = client.render(image, options.form, **parameters)
    if output == "-":
        sys.stdout.buffer.write(reply.body)
        sys.stdout.buffer.flush()
    else:
        write_bytes(Path(output), reply.body)
        elapsed = f"{reply.timings.round_trip_ms:.0f} ms"
        print(f"{output}: {options.form} by {reply.model} version {reply.version} in {elapsed}")
    return 0
