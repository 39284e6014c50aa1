"""The command line. TensorFlow takes seconds to import, so each command imports what it needs itself."""

import argparse
import sys

from contract import CardError, ModelsConfigError, PublishError, __version__
from trainer.commands import data as data_commands
from trainer.commands import evaluate as evaluation_command
from trainer.commands import export as export_commands
from trainer.commands import import_weights as weights_commands
from trainer.commands import networks as models_command
from trainer.commands import predict as prediction_command
from trainer.commands import train as training_command
from trainer.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. What a person can mend is said in one sentence, mostly with status 1."""
    options = create_parser().parse_args(arguments)
    try:
        options.run_command(options)
    except (UserError, CardError, ModelsConfigError, PublishError, OSError) as error:
        print(f"trainer: {error}", file=sys.stderr)
        return getattr(error, "exit_status", 1)
    except KeyboardInterrupt:
        print("trainer: stopped", file=sys.stderr)
        return 130
    return 0


def create_parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    parser = argparse.ArgumentParser(prog="python -m trainer", description="Labelled images in, a published model out.")
    parser.add_argument("--version", action="version", version=f"trainer {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="make or import a labelled set")
    data_commands.add_commands(data.add_subparsers(required=True, metavar="COMMAND"))

    training_command.add_commands(commands)
    evaluation_command.add_commands(commands)
    prediction_command.add_commands(commands)
    export_commands.add_commands(commands)
    weights_commands.add_commands(commands)
    models_command.add_commands(commands)
    return parser
