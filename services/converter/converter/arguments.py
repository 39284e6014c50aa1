"""The command line: what to convert and how, parsed and validated before TensorFlow is imported."""

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
machine's GPU, compares its masks with the source's, and publishes it as <name>-trt-<precision> with all signatures if
they agree. Engines run only on the GPU model and the TensorRT that built them: convert where you serve.

A SavedModel that Segstack did not publish can be converted too; it keeps its signatures."""

# The fraction of pixels that must keep their class. Rounding changes near-ties, the more the fewer bits there are.
MIN_AGREEMENT = {"fp32": 0.999, "fp16": 0.995, "int8": 0.98}


@dataclass(frozen=True)
class Options:
    """One conversion.

    Attributes:
        batch_sizes: ascending; each gets its own engine.
        output: where to write the result instead of publishing it in ``models_root``.
        images: what to compare on; None: synthetic images.
        signatures: those to convert, ``serving_default`` first.
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
        """The converted model's name."""
        return f"{self.source.name}-trt-{self.precision}"


def parse(arguments: Optional[Sequence[str]] = None, prog: str = "python -m converter") -> Options:
    """Parse the command line (``sys.argv`` by default).

    Raises:
        ConverterError: the input is not a model or is already converted, or an option does not fit it.
        SystemExit: argparse's own, with status 2, or 0 after ``--help``.
    """
    parser = create_parser(prog)
    parsed = parser.parse_args(arguments)
    if (parsed.model is None) == (parsed.input is None):
        parser.error("the following arguments are required: MODEL" if parsed.model is None else "give one MODEL only")
    if parsed.output is not None and parsed.models_root is not None:
        parser.error("--output writes a folder, --models-root publishes: choose one")
    source = find_source(parsed.model or parsed.input)
    options = Options(
        source=source,
        precision=parsed.precision,
        batch_sizes=tuple(sorted(set(parsed.batch_sizes))),
        workspace_mb=parsed.workspace_mb,
        models_root=parsed.models_root or Path("models_repo"),
        min_agreement=MIN_AGREEMENT[parsed.precision] if parsed.min_agreement is None else parsed.min_agreement,
        report=parsed.report,
        output=parsed.output,
        image_size=tuple(parsed.image_size) if parsed.image_size else None,
        images=parsed.images,
        calibration_data=parsed.calibration_data,
        max_images=parsed.max_images,
        signatures=(SERVING_DEFAULT, *sorted(set(parsed.signatures))),
        dry_run=parsed.dry_run,
    )
    _check(options)
    return options


def create_parser(prog: str = "python -m converter") -> argparse.ArgumentParser:
    """The parser with all options."""
    parser = argparse.ArgumentParser(
        prog=prog,
        usage="%(prog)s MODEL [options]",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"converter {__version__}")
    source = parser.add_argument_group("source")
    source.add_argument(
        "model",
        type=Path,
        nargs="?",
        metavar="MODEL",
        help="models_repo/NAME (its newest version), models_repo/NAME/VERSION, or the folder of a SavedModel",
    )
    source.add_argument(
        "--image-size",
        type=_positive,
        nargs=2,
        metavar=("H", "W"),
        help="the size to convert for, if the SavedModel takes any size; otherwise it must be the model's own",
    )
    source.add_argument(
        "--signatures",
        nargs="+",
        choices=(SCORES, PROBABILITIES),
        default=[],
        help="convert these in addition to serving_default; each stores the weights again (default: they stay in "
        "TensorFlow)",
    )
    conversion = parser.add_argument_group("conversion")
    conversion.add_argument(
        "--precision",
        type=str.lower,
        choices=tuple(MIN_AGREEMENT),
        default="fp16",
        help="of the engines (default: %(default)s)",
    )
    conversion.add_argument(
        "--batch-sizes",
        type=_positive,
        nargs="+",
        default=[1],
        metavar="N",
        help="build an engine for each; other batches run on the next larger engine, or in TensorFlow if there is none "
        "(default: 1)",
    )
    conversion.add_argument(
        "--workspace-mb",
        type=_positive,
        default=1024,
        metavar="MB",
        help="GPU memory for an engine's intermediate results, in MiB (default: %(default)s)",
    )
    conversion.add_argument(
        "--calibration-data",
        type=Path,
        metavar="FOLDER",
        help="required for int8: a data set, or a folder of JPEG and PNG images like those to be segmented",
    )
    proof = parser.add_argument_group("proof")
    proof.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="compare masks on these: a data set, or a folder of JPEG and PNG images (default: the half of "
        "--calibration-data that is not calibrated on, else synthetic images)",
    )
    proof.add_argument(
        "--max-images",
        type=_positive,
        default=64,
        metavar="N",
        help="use at most N images, evenly spaced, to compare on and to calibrate on (default: %(default)s)",
    )
    proof.add_argument(
        "--min-agreement",
        type=_fraction,
        metavar="FRACTION",
        help="of pixels that must keep their class, 0 to 1 (default: fp32 0.999, fp16 0.995, int8 0.98)",
    )
    results = parser.add_argument_group("results")
    results.add_argument(
        "--models-root", type=Path, metavar="FOLDER", help="publish in this repository (default: models_repo)"
    )
    results.add_argument(
        "--output", type=Path, metavar="FOLDER", help="write the SavedModel to this new folder instead of publishing it"
    )
    results.add_argument(
        "--report",
        type=Path,
        metavar="FOLDER",
        help="write report.md and worst.png, the image with the most differences, there (default: "
        "runs/<name>-trt-<precision>; with --dry-run it is only printed)",
    )
    results.add_argument(
        "--dry-run",
        action="store_true",
        help="without a GPU: convert in a separate environment (created once, several GB), report, publish nothing",
    )
    _add_former_spellings(parser)
    return parser


def _add_former_spellings(parser: argparse.ArgumentParser) -> None:
    """Options of earlier versions and of TF-TRT's scripts; still accepted, not documented."""
    parser.add_argument("--input", "--input_saved_model_dir", type=Path, help=argparse.SUPPRESS)
    for flag, name, arguments in (
        ("--image_size", "image_size", {"type": _positive, "nargs": 2}),
        ("--floating_mode", "precision", {"type": str.lower, "choices": tuple(MIN_AGREEMENT)}),
        ("--output_saved_model_dir", "output", {"type": Path}),
    ):
        parser.add_argument(flag, dest=name, default=argparse.SUPPRESS, help=argparse.SUPPRESS, **arguments)


def _check(options: Options) -> None:
    source = options.source
    try:
        check_model_name(options.name)
    except CardError as error:
        raise ConverterError(f"the converted model's name would be invalid: {error}") from None
    if source.card is None and len(options.signatures) > 1:
        raise ConverterError(
            f"--signatures: {source} was not published by Segstack, and of such models only the signature with the "
            "mask is converted; leave the option out"
        )
    if source.card is not None:
        size = (source.card.input_height, source.card.input_width)
        if options.image_size not in (None, size):
            raise ConverterError(
                "--image-size {} {}: {} takes {} {} (height, width), which is fixed in its graph; leave the option "
                "out, or export the model again at the size you want".format(
                    *(options.image_size or ()), source.name, *size
                )
            )
    if options.precision == "int8" and options.calibration_data is None and not options.dry_run:
        raise ConverterError(
            "--precision int8 needs images to calibrate on: pass a data set or a folder of images with "
            "--calibration-data"
        )
    output = options.output
    if output is not None and (output.is_file() or (output.is_dir() and any(output.iterdir()))):
        raise ConverterError(f"--output {output} already exists: choose a new folder")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _fraction(text: str) -> float:
    try:
        fraction = float(text)
    except ValueError:
        fraction = -1
    if not 0 <= fraction <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return fraction
