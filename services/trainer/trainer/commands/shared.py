"""What every command of the command line has in common."""

import argparse
from collections.abc import Callable
from pathlib import Path


def add_command(
    commands: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], None],
    help_text: str,
) -> argparse.ArgumentParser:
    """A command that calls ``run`` with its options; ``help_text`` is its line in the list of commands."""
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.set_defaults(run_command=run)
    return parser


def add_models_root(parser: argparse.ArgumentParser) -> None:
    """``--models-root``: where models are published."""
    parser.add_argument("--models-root", type=Path, default=Path("models_repo"), help="default: %(default)s")
