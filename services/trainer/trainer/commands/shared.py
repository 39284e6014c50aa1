"""What every verb of the command line shares: the parser, how errors are printed, importing TensorFlow quietly."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from contract import CardError, ModelsConfigError, PublishError
from trainer.errors import UserError

# Its exit status is a shell's for a command that was interrupted.
_STOPPED = 130


Run = Callable[[argparse.Namespace], None]


class Verb(Protocol):
    """A module of one verb.

    It has a function ``run(options)`` too, unless it is a group of verbs, which have theirs.
    """

    SUMMARY: str  # its line in the list of verbs, without a full stop

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments, or the verbs of the group."""


class Parser(argparse.ArgumentParser):
    """A parser that also accepts how earlier releases spelled a command."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """Parse ``args`` after translating them, as every subparser does with what is left for it."""
        words = self._translate(list(sys.argv[1:] if args is None else args))
        return super().parse_known_args(words, namespace)

    def _translate(self, words: list[str]) -> list[str]:
        """``import-cvat`` is ``import cvat`` now, ``models`` is ``networks``, and ``--data DATA`` is positional."""
        if words and words[0].startswith("import-") and words[0] != "import-weights":
            words = [*words[0].split("-", 1), *words[1:]]
        if words and words[0] == "models":
            words = ["networks", *words[2 if words[1:2] == ["networks"] else 1 :]]
        if any(action.dest == "data" and not action.option_strings for action in self._actions):
            for at, word in enumerate(words):
                if word == "--data" and at + 1 < len(words):
                    return [words[at + 1], *words[:at], *words[at + 2 :]]
                if word.startswith("--data="):
                    return [word.removeprefix("--data="), *words[:at], *words[at + 1 :]]
        return words


def add_verb(
    commands: argparse._SubParsersAction,
    name: str,
    summary: str,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Run | None = None,
    prog: str | None = None,
) -> None:
    """Add one verb to a list of them; its usage line begins with ``prog``, by default the list's own and ``name``."""
    prepare(commands.add_parser(name, help=summary, prog=prog), summary, add_arguments, run)


def prepare(
    parser: argparse.ArgumentParser,
    summary: str,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Run | None = None,
) -> None:
    """Give a parser a verb's description, arguments and function; a group's verbs have their own function."""
    parser.description = summary[0].upper() + summary[1:] + "."
    parser.set_defaults(run_command=run, program=parser.prog)
    add_arguments(parser)


def run_command(options: argparse.Namespace, program: str) -> int:
    """Run what was parsed; return the exit status. An error that the user can fix is printed as one sentence."""
    try:
        options.run_command(options)
    except (UserError, CardError, ModelsConfigError, PublishError, OSError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return getattr(error, "exit_status", 1)
    except KeyboardInterrupt:
        print(f"{program}: stopped", file=sys.stderr)
        return _STOPPED
    return 0


def add_models_root(parser: argparse.ArgumentParser) -> None:
    """``--models-root``: where models are published."""
    parser.add_argument("--models-root", type=Path, default=Path("models_repo"), help="default: %(default)s")


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up messages, unless the user has set its log level.

    Its C++ runtime writes them to file descriptor 2 before any log level applies.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    standard_error = os.dup(2)
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), 2)
    try:
        tensorflow = importlib.import_module("tensorflow")
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
    # The v1 loader, which checks an export as TensorFlow Serving does, prints a deprecation warning.
    tensorflow.get_logger().setLevel("ERROR")
