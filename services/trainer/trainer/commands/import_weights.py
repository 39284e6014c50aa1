"""``segstack import-weights``: the authors' checkpoints, as initial weights or for serving."""

import argparse
from pathlib import Path

from contract.card import check_model_name
from trainer.commands.class_arguments import CLASSES_HELP, parse_classes
from trainer.commands.shared import add_models_root, import_tensorflow
from trainer.errors import UserError

_NETWORKS = ["ddrnet23_slim", "ddrnet23", "ddrnet39"]

SUMMARY = "read a PyTorch checkpoint of DDRNet's authors, without PyTorch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``import-weights``."""
    parser.add_argument(
        "checkpoint",
        type=Path,
        metavar="CHECKPOINT",
        help="best_val_smaller.pth, best_val.pth, DDRNet23s_imagenet.pth, …",
    )
    parser.add_argument("--network", required=True, choices=_NETWORKS)
    parser.add_argument("--output", type=Path, metavar="FILE.keras", help="save the network, for a recipe's `weights`")
    parser.add_argument("--publish", metavar="NAME", help="publish it as this model, to serve it")
    add_models_root(parser)
    parser.add_argument("--classes", default="cityscapes", help=f"{CLASSES_HELP} (default: %(default)s)")
    parser.add_argument(
        "--size",
        type=int,
        nargs=2,
        default=(1024, 2048),
        metavar=("HEIGHT", "WIDTH"),
        help="in pixels; the authors measured at 1024 2048, the default, and smaller is faster",
    )
    parser.add_argument("--verbose", action="store_true", help="name every tensor")


def run(options: argparse.Namespace) -> None:
    """Run ``import-weights``."""
    from trainer.weights.ddrnet import AUXILIARY_HEAD
    from trainer.weights.load import load_state_dict
    from trainer.weights.torch_file import read_torch_file

    if not options.output and not options.publish:
        raise UserError("nothing to do: keep the network with --output FILE.keras, or publish it with --publish NAME")
    if options.output and (options.output.suffix != ".keras" or options.output.exists()):
        raise UserError(f"--output {options.output}: expected the name of a new file that ends in .keras")
    if options.publish:
        check_model_name(options.publish)
    classes = parse_classes(options.classes)
    state = read_torch_file(options.checkpoint)  # before TensorFlow is imported, which takes seconds
    import_tensorflow()
    from trainer.commands.export import announce
    from trainer.export.adapt import NetworkSpec
    from trainer.export.foreign import of_keras
    from trainer.export.publish import export_foreign
    from trainer.models import create_model
    from trainer.runs import save_network

    height, width = options.size
    auxiliary = any(AUXILIARY_HEAD in name.split(".") for name in state)
    try:
        model = create_model(options.network, height, width, len(classes), auxiliary=auxiliary)
    except ValueError as error:
        raise UserError(str(error)) from None
    report = load_state_dict(model, state, options.checkpoint)
    print(report.listing() if options.verbose else report)
    if options.publish and report.fresh:
        raise UserError(
            f"{options.publish} was not published, as the file has no trained weights for {len(report.fresh)} tensors: "
            "keep the network with --output and train it first"
        )
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        save_network(model, options.output)
        print(f"kept: {options.output}")
    if options.publish:
        network = of_keras(model, options.checkpoint)
        announce(
            options.models_root, *export_foreign(network, NetworkSpec(classes), options.publish, options.models_root)
        )
