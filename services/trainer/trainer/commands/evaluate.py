"""``segstack evaluate``: how good a network is."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.commands.network_arguments import add_model, add_tta, open_segmenter, tta_of
from trainer.commands.shared import import_tensorflow
from trainer.errors import NotGoodEnoughError, UserError, require_absent

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    from trainer.frozen.latency import Latency
    from trainer.inference.segmenter import Segmenter

_WORST_IMAGES = 8

SUMMARY = "measure a network on a split of a data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``evaluate``."""
    parser.add_argument("data", type=Path, metavar="DATA", help="the data set")
    add_model(parser)
    parser.add_argument("--split", help="train, validation or test (default: test; validation of a set without)")
    parser.add_argument(
        "--boundary",
        type=float,
        default=0.0075,
        metavar="FRACTION",
        help="distance within which outlines match, of the image's diagonal (default: %(default)s; 0: not measured)",
    )
    parser.add_argument("--no-time", action="store_true", help="do not measure the latency")
    add_tta(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--report", type=Path, metavar="FOLDER", help="also write report.html, report.md and images")
    output.add_argument(
        "--visualize",
        type=int,
        nargs="?",
        const=12,
        default=0,
        metavar="N",
        help="show N images (12) from all over the split in the report, with label, prediction and errors",
    )
    output.add_argument("--json", action="store_true", help="print the results as JSON")
    output.add_argument(
        "--min-miou", type=float, metavar="MIOU", help="exit with status 3 below this, 0 to 1: a gate for scripts"
    )


def run(options: argparse.Namespace) -> None:
    """Run ``evaluate``."""
    _check(options)
    tta = tta_of(options)
    import_tensorflow()
    from trainer.datasets.dataset import load_dataset
    from trainer.evaluation.comparison import segmented, spread, worst_of
    from trainer.evaluation.evaluate import evaluate, require_same_classes
    from trainer.evaluation.report import write_report
    from trainer.evaluation.results import EvaluationContext, results_of, to_json
    from trainer.evaluation.summary import describe_evaluation
    from trainer.metrics import create_metrics

    dataset = load_dataset(options.data)
    split = options.split or dataset.splits[-1]
    metrics = create_metrics(options.boundary or None)
    with open_segmenter(options) as segmenter:
        require_same_classes(segmenter, dataset)
        latency = None if options.no_time else _latency(segmenter)
        evaluation = evaluate(
            segmenter,
            dataset,
            split,
            tta,
            batch_size=options.batch_size,
            metrics=metrics,
            keep_worst=_WORST_IMAGES if options.report else 0,
        )
        of_card = evaluation.card_metrics
        results = results_of(evaluation, EvaluationContext(segmenter, dataset, tta, latency))
        # Before the report: if that cannot be written, the results are not lost.
        print(to_json(results) if options.json else describe_evaluation(results, metrics, of_card) + "\n", end="")
        if options.report:
            items = spread(dataset.split(split), options.visualize)
            with closing(segmented(segmenter, dataset, items, tta, options.batch_size)) as images:
                write_report(options.report, results, metrics, worst_of(evaluation, dataset), images)
    if options.report and not options.json:
        print(f"report: {options.report / 'report.html'}")
    # Rounded as it is printed, so that a printed value that reaches the bound passes.
    if options.min_miou is not None and of_card.miou < options.min_miou:
        raise NotGoodEnoughError(f"{split} mIoU {results['miou']:.4f} is below --min-miou {options.min_miou:g}")


def _check(options: argparse.Namespace) -> None:
    """Check what does not need TensorFlow."""
    if options.report:
        require_absent(options.report, "--report")
    elif options.visualize:
        raise UserError("--visualize adds images to the report: name its folder with --report")
    if options.visualize < 0:
        raise UserError(f"--visualize {options.visualize}: expected a number of images")
    if not 0 <= options.boundary <= 1:
        raise UserError(f"--boundary {options.boundary:g}: expected a fraction of the diagonal, 0 to 1")
    if options.min_miou is not None and not 0 <= options.min_miou <= 1:
        raise UserError(f"--min-miou {options.min_miou:g}: expected 0 to 1; 70 % is 0.7")


def _latency(segmenter: "Segmenter") -> "Latency":
    from trainer.frozen.latency import latency_of, noise

    image = noise(*segmenter.size)
    return latency_of(lambda: segmenter.masks(image))
