"""The command line: what to convert and how, read and checked before TensorFlow is touched."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Tuple

from contract import PROBABILITIES, SCORES, SERVING_DEFAULT, CardError, __version__
from contract.card import check_model_name
from converter.errors import ConverterError
from converter.source import Source, find_source

_DESCRIPTION = """\
Rewrites a published model so that TensorRT takes all of it, converts it with TF-TRT, builds its engines on this
machine's GPU, compares its masks with the source's, and publishes what agrees as <name>-trt-<precision> with all five
signatures. Engines run on the GPU model and the TensorRT that built them: convert where you serve.

A SavedModel that Segstack did not publish is converted as it is and keeps its signatures."""

# How many of 100 pixels may change: rounding decides near-ties otherwise, and more of them the fewer bits there are.
MIN_AGREEMENT = {"fp32": 0.999, "fp16": 0.995, "int8": 0.98}


@dataclass(frozen=True)
class Options:
    """One conversion. ``batch_sizes`` ascend, each with an engine of its own.

    ``signatures`` are converted, ``serving_default`` first; ``output`` takes the result in place of ``models_root``.
    ``images`` None: synthetic ones are compared on.
    """

    source: Source
    precision: str
    batch_sizes: Tuple[int, ...]
    workspace_mb: int
    models_root: Path
    min_agreement: float
    report: Optional[Path] = None
    output: Optional[Path] = None
    image_size: Optional[Tuple[int, int]] = None
    images: Optional[Path] = None
    calibration_data: Optional[Path] = None
    max_images: int = 64
    signatures: Tuple[str, ...] = (SERVING_DEFAULT,)
    dry_run: bool = False

    @property
    def name(self) -> str:
        """What the converted model is called."""
        return f"{self.source.name}-trt-{self.precision}"


def parse(arguments: Optional[Sequence[str]] = None) -> Options:
    """Read the command line (``sys.argv`` by default).

    Raises:
        ConverterError: the input is no model or is converted already, or an option does not go with it.
        SystemExit: argparse's own, with status 2, or 0 after ``--help``.
    """
    parser = create_parser()
    read = parser.parse_args(arguments)
    if read.output is not None and read.models_root is not None:
        parser.error("--output writes a folder, --models-root publishes: choose one")
    source = find_source(read.input)
    options = Options(
        source=source,
        precision=read.precision,
        batch_sizes=tuple(sorted(set(read.batch_sizes))),
        workspace_mb=read.workspace_mb,
        models_root=read.models_root or Path("models_repo"),
        min_agreement=MIN_AGREEMENT[read.precision] if read.min_agreement is None else read.min_agreement,
        report=read.report,
        output=read.output,
        image_size=tuple(read.image_size) if read.image_size else None,
        images=read.images,
        calibration_data=read.calibration_data,
        max_images=read.max_images,
        signatures=(SERVING_DEFAULT, *sorted(set(read.signatures))),
        dry_run=read.dry_run,
    )
    _check(options)
    return options


def create_parser() -> argparse.ArgumentParser:
    """Every option."""
    parser = argparse.ArgumentParser(
        prog="python -m converter",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"converter {__version__}")
    what = parser.add_argument_group("what")
    what.add_argument(
        *("--input", "--input_saved_model_dir"),
        type=Path,
        required=True,
        metavar="MODELS_REPO/NAME[/VERSION]",
        help="the published model, its newest version when none is named; or the folder of a SavedModel",
    )
    what.add_argument(
        *("--image-size", "--image_size"),
        type=_positive,
        nargs=2,
        metavar=("H", "W"),
        help="of a SavedModel that takes any size, the one to convert for; of others, refuse unless it is theirs",
    )
    what.add_argument(
        "--signatures",
        nargs="+",
        choices=(SCORES, PROBABILITIES),
        default=[],
        help="converted besides serving_default; each has the weights again (none: they stay in TensorFlow)",
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        *("--precision", "--floating_mode"),
        type=str.lower,
        choices=tuple(MIN_AGREEMENT),
        default="fp16",
        help="of the engines (%(default)s)",
    )
    how.add_argument(
        "--batch-sizes",
        type=_positive,
        nargs="+",
        default=[1],
        metavar="N",
        help="build an engine for each; a smaller batch runs on the next larger engine, a larger one in TensorFlow (1)",
    )
    how.add_argument(
        "--workspace-mb",
        type=_positive,
        default=1024,
        metavar="MB",
        help="GPU memory an engine may use for scratch, in MiB (%(default)s)",
    )
    how.add_argument(
        "--calibration-data",
        type=Path,
        metavar="FOLDER",
        help="int8 needs it: a data set, or a folder of JPEG and PNG images like those it will see",
    )
    proof = parser.add_argument_group("proof")
    proof.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="compare masks on these: a data set or a folder of JPEG and PNG images (the half of --calibration-data "
        "that is not calibrated on, else synthetic ones)",
    )
    proof.add_argument(
        "--max-images",
        type=_positive,
        default=64,
        metavar="N",
        help="at most so many to compare on, and to calibrate on, evenly taken (%(default)s)",
    )
    proof.add_argument(
        "--min-agreement",
        type=_share,
        metavar="SHARE",
        help="the share of pixels, 0 to 1, that must keep their class (fp32 0.999, fp16 0.995, int8 0.98)",
    )
    where = parser.add_argument_group("where")
    where.add_argument("--models-root", type=Path, help="publish there (models_repo)", metavar="FOLDER")
    where.add_argument(
        *("--output", "--output_saved_model_dir"),
        type=Path,
        metavar="FOLDER",
        help="write the SavedModel into this new folder instead of publishing it",
    )
    where.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="for report.md and the picture of the worst image (runs/<name>-trt-<precision>; --dry-run: only printed)",
    )
    where.add_argument(
        "--dry-run",
        action="store_true",
        help="without a GPU: convert in an environment of its own (made once, some GB), report, publish nothing",
    )
    return parser


def _check(options: Options) -> None:
    source = options.source
    try:
        check_model_name(options.name)
    except CardError as error:
        raise ConverterError(f"{error}; the converted model would be called so") from None
    if source.card is None and len(options.signatures) > 1:
        raise ConverterError(
            f"--signatures: {source} was not published by Segstack; only the signature that it serves by is converted"
        )
    if source.card is not None:
        size = (source.card.input_height, source.card.input_width)
        if options.image_size not in (None, size):
            raise ConverterError(
                "--image-size {} {}: {} takes {} {} (height, width), and the size is fixed in its graph; leave the "
                "option out, or export the model anew at the size you want".format(
                    *(options.image_size or ()), source.name, *size
                )
            )
    if options.precision == "int8" and options.calibration_data is None and not options.dry_run:
        raise ConverterError(
            "--precision int8 calibrates on images like those it will see: name a data set or a folder of them with "
            "--calibration-data"
        )
    output = options.output
    if output is not None and (output.is_file() or (output.is_dir() and any(output.iterdir()))):
        raise ConverterError(f"--output {output} is there already: name a new folder")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return share
