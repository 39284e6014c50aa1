"""The command line: what to convert and how, read and checked before TensorFlow is touched."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple

from contract import CardError, ModelCard, versions
from contract.repository import CARD_PATH
from converter.errors import ConverterError

_DESCRIPTION = """\
Converts the serving_default signature of a published model with TF-TRT, builds its TensorRT engines on this
machine's GPU, and publishes the result as <name>-trt-<precision> with all five signatures: serving_default runs the
engines, encoded decodes on the CPU and calls it, scores and probabilities stay as they were, describe answers the new
card. Engines run on the GPU model and the TensorRT that built them: convert where you serve.

The graph is converted as it is: what TensorRT does not take (half-pixel resizes, for one) stays in TensorFlow and
splits the engine, and the masks are not compared with the source's. INT8 is not offered."""


@dataclass(frozen=True)
class Source:
    """A published version: its folder, its number and its card."""

    folder: Path
    version: int
    card: ModelCard


@dataclass(frozen=True)
class Options:
    """One conversion. ``batch_sizes`` ascend, each with an engine of its own."""

    source: Source
    precision: str
    batch_sizes: Tuple[int, ...]
    workspace_mb: int
    models_root: Path


def parse(arguments: Optional[Sequence[str]] = None) -> Options:
    """Read the command line (``sys.argv`` by default).

    Raises:
        ConverterError: the input is no published version, is converted already, or has another image size.
        SystemExit: argparse's own, with status 2, or 0 after ``--help``.
    """
    parser = argparse.ArgumentParser(
        prog="python -m converter", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--input",
        type=Path,
        required=True,
        metavar="MODELS_REPO/NAME[/VERSION]",
        help="the published model; its newest version when none is named",
    )
    parser.add_argument(
        "--image-size",
        type=_positive,
        nargs=2,
        metavar=("H", "W"),
        help="refuse unless the model takes images of this height and width (default: the model's, whatever it is)",
    )
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp16", help="of the engines (%(default)s)")
    parser.add_argument(
        "--batch-sizes",
        type=_positive,
        nargs="+",
        default=[1],
        metavar="N",
        help="build an engine for each; a smaller batch runs on the next larger engine, a larger one in TensorFlow (1)",
    )
    parser.add_argument(
        "--workspace-mb",
        type=_positive,
        default=1024,
        metavar="MB",
        help="GPU memory an engine may use for scratch, in MiB (%(default)s)",
    )
    parser.add_argument(
        "--models-root", type=Path, default=Path("models_repo"), help="where to publish (%(default)s)", metavar="FOLDER"
    )
    read = parser.parse_args(arguments)
    source = find_source(read.input)
    size = (source.card.input_height, source.card.input_width)
    if read.image_size is not None and tuple(read.image_size) != size:
        raise ConverterError(
            "--image-size {} {}: {} takes {} {} (height, width), and the size is fixed in its graph; leave the option "
            "out, or export the model anew at the size you want".format(*read.image_size, source.card.name, *size)
        )
    return Options(source, read.precision, tuple(sorted(set(read.batch_sizes))), read.workspace_mb, read.models_root)


def find_source(path: Path) -> Source:
    """The published version at ``path``, or the newest below it.

    Raises:
        ConverterError: there is none, its card cannot be read, or it is a converted model itself.
    """
    folder = path.absolute()
    if not _is_saved_model(folder):
        folder = folder / str(max(versions(folder.parent, folder.name), default=""))
    if not folder.name.isdigit() or not _is_saved_model(folder):
        raise ConverterError(f"{path} is no published model: expected models_repo/NAME or models_repo/NAME/VERSION")
    try:
        card = ModelCard.from_json((folder / CARD_PATH).read_bytes())
    except FileNotFoundError:
        raise ConverterError(
            f"{path} was not published by Segstack, as it has no {CARD_PATH}: "
            "publish your model with `python -m trainer export`"
        ) from None
    except CardError as error:
        raise ConverterError(f"{folder / CARD_PATH}: {error}") from None
    if card.name != folder.parent.name:
        raise ConverterError(
            f"{folder} was not published there: its card says it is {card.name}; name the folder it was published to"
        )
    if card.derived_from is not None:
        raise ConverterError(f"{card.name} is converted already, from {card.derived_from}: convert that one")
    return Source(folder, int(folder.name), card)


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").is_file()


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
