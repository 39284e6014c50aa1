"""``python -m trainer evaluate``: how good a network is."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.commands.network_arguments import add_model, add_views, open_segmenter, views_of
from trainer.commands.quiet import import_tensorflow
from trainer.errors import NotGoodEnoughError, UserError

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
        metavar="SHARE",
        help="how far outlines may lie apart, of the image's diagonal (default: %(default)s; 0 leaves outlines out)",
    )
    parser.add_argument("--no-time", action="store_true", help="do not measure the latency")
    add_views(parser)
    told = parser.add_argument_group("what is told")
    told.add_argument("--report", type=Path, metavar="FOLDER", help="also write report.html, report.md and pictures")
    told.add_argument(
        "--visualize",
        type=int,
        nargs="?",
        const=12,
        default=0,
        metavar="N",
        help="in the report, so many images (12) from all over the split beside label, prediction and errors",
    )
    told.add_argument("--json", action="store_true", help="print the figures as JSON")
    told.add_argument(
        "--min-miou", type=float, metavar="MIOU", help="end with status 3 below this, 0 to 1: a gate for scripts"
    )


def run(options: argparse.Namespace) -> None:
    """Run ``evaluate``."""
    _check(options)
    views = views_of(options)
    import_tensorflow()
    from trainer.datasets.dataset import load_dataset
    from trainer.evaluation.compared import segmented, spread, worst_of
    from trainer.evaluation.evaluate import evaluate, require_same_classes
    from trainer.evaluation.facts import Circumstances, facts_of
    from trainer.evaluation.report import to_json, write_report
    from trainer.evaluation.summary import describe_evaluation
    from trainer.metrics.boundary_f1 import Boundary

    dataset = load_dataset(options.data)
    split = options.split or dataset.splits[-1]
    boundary = Boundary(options.boundary) if options.boundary else None
    with open_segmenter(options) as segmenter:
        require_same_classes(segmenter, dataset)
        latency = None if options.no_time else _latency(segmenter)
        evaluation = evaluate(
            segmenter,
            dataset,
            split,
            views,
            batch_size=options.batch_size,
            boundary=boundary,
            keep_worst=_WORST_IMAGES if options.report else 0,
        )
        facts = facts_of(evaluation, Circumstances(segmenter, dataset, views, boundary, latency))
        # Before the report: if that cannot be written, the figures are not lost.
        print(to_json(facts) if options.json else describe_evaluation(facts, evaluation.metrics) + "\n", end="")
        if options.report:
            items = spread(dataset.split(split), options.visualize)
            with closing(segmented(segmenter, dataset, items, views, options.batch_size)) as pictures:
                write_report(options.report, facts, worst_of(evaluation, dataset), pictures)
    if options.report and not options.json:
        print(f"report: {options.report / 'report.html'}")
    # As printed: what reads as reached is reached.
    if options.min_miou is not None and evaluation.metrics.miou < options.min_miou:
        raise NotGoodEnoughError(f"{split} mIoU {facts['miou']:.4f} is below --min-miou {options.min_miou:g}")


def _check(options: argparse.Namespace) -> None:
    """Everything that need not wait for TensorFlow."""
    from trainer.errors import require_absent

    if options.report:
        require_absent(options.report, "--report")
    elif options.visualize:
        raise UserError("--visualize draws pictures into the report: name its folder with --report")
    if options.visualize < 0:
        raise UserError(f"--visualize {options.visualize}: expected a number of images")
    if not 0 <= options.boundary <= 1:
        raise UserError(f"--boundary {options.boundary:g}: expected a share of the diagonal, 0 to 1")
    if options.min_miou is not None and not 0 <= options.min_miou <= 1:
        raise UserError(f"--min-miou {options.min_miou:g}: expected 0 to 1; 70 % is 0.7")


def _latency(segmenter: "Segmenter") -> "Latency":
    import numpy as np

    from trainer.frozen.latency import latency_of

    image = np.random.default_rng(0).integers(0, 256, (1, *segmenter.size, 3), np.uint8)
    return latency_of(lambda: segmenter.masks(image))
