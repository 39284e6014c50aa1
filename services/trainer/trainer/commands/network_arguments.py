"""Arguments that `evaluate` and `predict` share: the network, and test-time augmentation."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import UserError
from trainer.inference.tta import TestTimeAugmentation

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    from trainer.inference.segmenter import Segmenter


def add_model(parser: argparse.ArgumentParser) -> None:
    """``--model``, ``--serving`` and ``--batch-size``."""
    parser.add_argument(
        "--model",
        required=True,
        metavar="RUN|MODEL",
        help="a run folder (or a .keras file in one), models_repo/NAME or models_repo/NAME/VERSION; "
        "with --serving NAME, NAME:VERSION or NAME@LABEL",
    )
    parser.add_argument("--serving", metavar="HOST:PORT", help="use a served model, over gRPC, for instance :8500")
    parser.add_argument(
        "--batch-size", type=int, default=8, metavar="N", help="images that the network gets at a time (default: 8)"
    )


def add_tta(parser: argparse.ArgumentParser) -> None:
    """``--flip``, ``--flip-vertically``, ``--scales``, ``--sliding-window`` and ``--overlap``."""
    tta = parser.add_argument_group("test-time augmentation", "slower and better: probabilities are averaged")
    tta.add_argument("--flip", action="store_true", help="also mirrored left to right")
    tta.add_argument(
        "--flip-vertically", action="store_true", help="also mirrored top to bottom; with --flip also both ways"
    )
    tta.add_argument(
        "--scales",
        type=float,
        nargs="+",
        default=[1.0],
        metavar="FACTOR",
        help="of the image's size, for instance 0.75 1 1.25",
    )
    tta.add_argument(
        "--sliding-window",
        action="store_true",
        help="do not stretch an image to the input size, but move a window of that size over it: for larger images",
    )
    tta.add_argument(
        "--overlap", type=float, default=1 / 3, metavar="FRACTION", help="of neighbouring windows (default: 1/3)"
    )


def tta_of(options: argparse.Namespace) -> TestTimeAugmentation:
    """The augmentation that the arguments of :func:`add_tta` name."""
    flips = [*(["horizontally"] if options.flip else []), *(["vertically"] if options.flip_vertically else [])]
    flips += ["both ways"] if len(flips) == 2 else []
    return TestTimeAugmentation(flips, tuple(options.scales), options.sliding_window, options.overlap)


@contextmanager
def open_segmenter(options: argparse.Namespace) -> Iterator["Segmenter"]:
    """The network that the arguments of :func:`add_model` name.

    Raises:
        UserError: there is none.
    """
    if options.batch_size < 1:
        raise UserError(f"--batch-size {options.batch_size}: expected 1 or more")
    if options.serving:
        from trainer.inference.served import served

        host, colon, port = options.serving.rpartition(":")
        if not colon or not port.isdigit():
            raise UserError(f"--serving {options.serving}: expected HOST:PORT of the gRPC port, as localhost:8500")
        with served(f"{host or 'localhost'}:{port}", options.model) as segmenter:
            yield segmenter
    else:
        from trainer.inference.local import open_local

        yield open_local(Path(options.model))
