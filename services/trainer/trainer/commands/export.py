"""``segstack export``: from trained weights to a published model."""

import argparse
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

from contract import ModelCard, Preprocessing
from contract.card import check_model_name
from trainer.commands.class_arguments import CLASSES_HELP, parse_classes
from trainer.commands.shared import add_models_root, import_tensorflow
from trainer.errors import UserError

if TYPE_CHECKING:
    from trainer.export.adapt import NetworkSpec
    from trainer.export.foreign import ForeignNetwork

SUMMARY = "measure, freeze and publish a run's best network, or a third-party one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``export``."""
    parser.add_argument("data", type=Path, nargs="?", metavar="DATA", help="with --from: a data set to measure it on")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--run", type=Path, help="the run folder")
    source.add_argument(
        "--from",
        dest="source",
        metavar="NETWORK",
        help="a .keras file, a SavedModel's folder, or keras_hub:PRESET for one that KerasHub has trained",
    )
    parser.add_argument("--name", required=True, help="the model's name in the repository")
    add_models_root(parser)
    parser.add_argument("--split", help="what the metrics are measured on (default: test; validation of a set without)")

    foreign = parser.add_argument_group("with --from", "what the file does not hold of its network")
    foreign.add_argument("--classes", help=CLASSES_HELP)
    foreign.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="in pixels, if the network takes any"
    )
    foreign.add_argument(
        "--preprocessing",
        choices=["imagenet", "unit", "symmetric", "none"],
        help="pixels as ImageNet's statistics have it, 0 to 1, -1 to 1, or 0 to 255 as they are",
    )
    foreign.add_argument("--scale", type=float, help="or these: (pixel * scale - mean) / std (default: 1/255)")
    foreign.add_argument("--mean", type=float, nargs=3, metavar=("R", "G", "B"))
    foreign.add_argument("--std", type=float, nargs=3, metavar=("R", "G", "B"))
    foreign.add_argument("--channels", choices=["rgb", "bgr"], default="rgb", help="default: %(default)s")
    foreign.add_argument(
        "--network-output", metavar="NAME", help="which of the network's outputs, if there are several"
    )
    foreign.add_argument("--output", dest="network_output", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    foreign.add_argument(
        "--activation",
        choices=["logits", "softmax", "sigmoid"],
        default="logits",
        help="the last operation on its output: none (logits, the default), a softmax, a sigmoid",
    )


# Arguments that a run's recipe makes superfluous, and their defaults.
_OF_FOREIGN = dict.fromkeys(["classes", "data", "size", "preprocessing", "scale", "mean", "std", "network_output"]) | {
    "channels": "rgb",
    "activation": "logits",
}


def run(options: argparse.Namespace) -> None:
    """Run ``export``."""
    if options.run:
        given = [_spelled(name) for name, default in _OF_FOREIGN.items() if getattr(options, name) != default]
        if given:
            raise UserError(f"{', '.join(given)}: only --from takes these; a run's recipe has what its network needs")
        import_tensorflow()
        publish_run(options.run, options.name, options.models_root, options.split)
        return
    if not options.classes:
        raise UserError(f"--from {options.source} needs --classes: {CLASSES_HELP}")
    if options.split and not options.data:
        raise UserError(
            "--split is the part of a data set to measure on: name the data set, as in `segstack export DATA --from …`"
        )
    check_model_name(options.name)
    classes = parse_classes(options.classes)  # before TensorFlow is imported, which takes seconds
    import_tensorflow()
    from trainer.datasets.dataset import load_dataset
    from trainer.export.adapt import NetworkSpec
    from trainer.export.foreign import open_network
    from trainer.export.publish import export_foreign
    from trainer.models.hub import PREFIX

    spec = NetworkSpec(
        classes,
        tuple(options.size) if options.size else None,
        _preprocessing(options),
        options.channels == "bgr",
        options.activation,
    )
    dataset = load_dataset(options.data) if options.data else None
    if options.source.startswith(PREFIX):
        foreign, spec = _open_preset(options.source, spec)
    else:
        foreign = open_network(Path(options.source), options.network_output)
    announce(
        options.models_root, *export_foreign(foreign, spec, options.name, options.models_root, dataset, options.split)
    )


def _spelled(name: str) -> str:
    return "DATA" if name == "data" else f"--{name.replace('_', '-')}"


def _open_preset(name: str, spec: "NetworkSpec") -> tuple["ForeignNetwork", "NetworkSpec"]:
    """A preset with the head it was trained with; its own preprocessing is part of the network already."""
    from trainer.export.adapt import PREPROCESSING
    from trainer.export.foreign import of_keras
    from trainer.models import create_model

    if not spec.size or spec.preprocessing:
        raise UserError(f"{name} brings its preprocessing and takes a size that you choose: give --size alone")
    try:
        model = create_model(name, *spec.size, classes=None)
    except ValueError as error:
        raise UserError(str(error)) from None
    return of_keras(model, Path(name)), dataclasses.replace(spec, preprocessing=PREPROCESSING["imagenet"])


def _preprocessing(options: argparse.Namespace) -> Preprocessing | None:
    from trainer.export.adapt import PREPROCESSING

    numbers = (options.scale, options.mean, options.std)
    if numbers == (None, None, None):
        return PREPROCESSING[options.preprocessing] if options.preprocessing else None
    if options.preprocessing:
        raise UserError("--preprocessing names scale, mean and std together: give either it or --scale, --mean, --std")
    if options.scale is not None and not 0 < options.scale < math.inf:
        raise UserError(f"--scale {options.scale}: expected a number above 0, by which pixels are multiplied")
    for name, channels in (("mean", options.mean or ()), ("std", options.std or ())):
        if not all(map(math.isfinite, channels)):
            raise UserError(f"--{name} {' '.join(map(str, channels))}: expected three numbers that are finite")
    scale, mean, std = (options.scale or 1 / 255), (options.mean or (0.0, 0.0, 0.0)), (options.std or (1.0, 1.0, 1.0))
    return Preprocessing(scale, tuple(mean), tuple(std))


def publish_run(run: Path, name: str, models_root: Path, split: str | None = None) -> None:
    """Publish a run's best network and print its metrics."""
    from trainer.export.publish import export_run
    from trainer.runs import RunFolder

    announce(models_root, *export_run(RunFolder(run).load(), name, models_root, split))


def announce(models_root: Path, version: int, card: ModelCard) -> None:
    """Print what was published, with its metrics if it was measured."""
    from trainer.evaluation.summary import describe

    if card.metrics:
        print(describe(card.metrics))
    print(f"published: {models_root / card.name / str(version)}")
