"""The command line. TensorFlow takes seconds to import, so each command imports what it needs itself."""

import argparse
import sys

from contract import CardError, ModelsConfigError, PublishError, __version__
from trainer import models_command
from trainer.data import commands as data_commands
from trainer.errors import UserError
from trainer.evaluation import command as evaluation_command
from trainer.export import commands as export_commands
from trainer.prediction import command as prediction_command
from trainer.training import command as training_command
from trainer.weights import commands as weights_commands


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
