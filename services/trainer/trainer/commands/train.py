"""``segstack train``: train a network, or resume a training."""

import argparse
import os
from pathlib import Path

from contract.card import check_model_name
from trainer.commands.shared import add_models_root, import_tensorflow
from trainer.errors import UserError

_MINUTES_BETWEEN_STATES = 10.0

SUMMARY = "train a network by a recipe, or resume a training"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``train``."""
    parser.add_argument(
        "data", type=Path, nargs="?", metavar="DATA", help="the data set (default: the recipe's data.path)"
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, help="the recipe, a YAML file")
    what.add_argument("--resume", type=Path, metavar="RUN", help="resume a run from its last saved state")
    parser.add_argument("--run", type=Path, help="the new run folder, with --config")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="override a value, for instance epochs=20"
    )
    parser.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=_MINUTES_BETWEEN_STATES,
        metavar="N",
        help="save the state every N minutes, and after each epoch (default: %(default)g)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--gpu", type=int, metavar="N", help="the GPU to use, as nvidia-smi numbers them (default: the first)"
    )
    where.add_argument(
        "--multi-gpu", action="store_true", help="use every GPU; several machines: set TF_CONFIG on each"
    )
    parser.add_argument("--publish", metavar="NAME", help="afterwards export and publish it as this model")
    add_models_root(parser)


def run(options: argparse.Namespace) -> None:
    """Run ``train``."""
    from trainer.recipe import load_recipe
    from trainer.runs import RunFolder
    from trainer.training.resume import resumed_recipe

    overrides = [*([f"data.path={options.data}"] if options.data else []), *options.set]
    if options.publish:
        check_model_name(options.publish)  # now, not after hours
    if (options.run is None) != (options.config is None):
        raise UserError(
            "--config needs --run, the new run folder; --resume takes recipe and folder from a run, without --run"
        )
    if not options.checkpoint_minutes >= 0:
        raise UserError(
            f"--checkpoint-minutes {options.checkpoint_minutes:g}: expected 0 (after every step) or more; inf saves "
            "after each epoch only"
        )
    # Before TensorFlow is imported, which takes seconds: a typing error is reported at once.
    changes: list[str] = []
    if options.resume:
        folder = options.resume
        recipe, changes = resumed_recipe(RunFolder(folder), overrides)
    else:
        folder = options.run
        recipe = load_recipe(options.config, overrides)
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # nvidia-smi's; CUDA's own puts the fastest first
    import_tensorflow()
    from trainer.training.distribution import create_distribution
    from trainer.training.loop import train

    distribution = create_distribution(options.gpu, options.multi_gpu)
    miou = train(recipe, folder, distribution, bool(options.resume), changes, 60 * options.checkpoint_minutes)
    if not distribution.is_chief:
        return
    print(f"trained: {folder}, best validation mIoU {miou:.4f}")
    if options.publish:
        from trainer.commands.export import publish_run

        publish_run(folder, options.publish, options.models_root)
