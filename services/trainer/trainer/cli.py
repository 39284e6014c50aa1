"""The command line. TensorFlow takes seconds to import, so each command imports what it needs itself."""

import argparse
import sys
from pathlib import Path

from contract import CardError, ModelsConfigError, PublishError
from contract.card import check_model_name
from trainer import models_command
from trainer.command import add_command, add_models_root
from trainer.data import commands as data_commands
from trainer.errors import UserError
from trainer.evaluation import command as evaluation_command
from trainer.export import commands as export_commands
from trainer.prediction import command as prediction_command
from trainer.quiet import import_tensorflow
from trainer.weights import commands as weights_commands


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. What a person can mend is said in one sentence, mostly with status 1."""
    options = _parser().parse_args(arguments)
    try:
        options.run_command(options)
    except (UserError, CardError, ModelsConfigError, PublishError, OSError) as error:
        print(f"trainer: {error}", file=sys.stderr)
        return getattr(error, "exit_status", 1)
    except KeyboardInterrupt:
        print("trainer: stopped", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Labelled images in, a published model out.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="make or import a labelled set")
    data_commands.add_commands(data.add_subparsers(required=True, metavar="COMMAND"))

    train = add_command(commands, "train", _train, "train a network as a recipe says")
    train.add_argument("--config", type=Path, required=True, help="the recipe, a YAML file")
    train.add_argument("--run", type=Path, required=True, help="the new run folder")
    train.add_argument("--data", type=Path, help="the data set; short for --set data.path=…")
    train.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="override a value, for instance epochs=20"
    )

    train.add_argument("--publish", metavar="NAME", help="then export and publish it as this model")
    add_models_root(train)

    evaluation_command.add_commands(commands)
    prediction_command.add_commands(commands)
    export_commands.add_commands(commands)
    weights_commands.add_commands(commands)
    models_command.add_commands(commands)
    return parser


def _train(options: argparse.Namespace) -> None:
    from trainer.recipe import load_recipe

    overrides = [*([f"data.path={options.data}"] if options.data else []), *options.set]
    if options.publish:
        check_model_name(options.publish)  # now, not after hours
    recipe = load_recipe(options.config, overrides)  # before TensorFlow's seconds: a typing error answers at once
    import_tensorflow()
    from trainer.training.loop import train

    try:
        miou = train(recipe, options.run)
    except KeyboardInterrupt:
        if options.run.exists():
            print(
                f"\nThe best weights so far are in {options.run}; "
                f"`python -m trainer export --run {options.run} --name NAME` publishes them",
                file=sys.stderr,
            )
        raise
    print(f"trained: {options.run}, best validation mIoU {miou:.4f}")
    if options.publish:
        export_commands.publish_run(options.run, options.publish, options.models_root)
