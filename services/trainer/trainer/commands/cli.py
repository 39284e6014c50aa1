"""The command line: ``segstack data``, ``segstack train`` and so on, and ``python -m trainer`` with all of them.

TensorFlow takes seconds to import, so each verb imports what it needs when it runs.
"""

from contract import __version__
from trainer.commands import data as data_verbs
from trainer.commands import evaluate as evaluate_verb
from trainer.commands import export as export_verb
from trainer.commands import import_weights as import_weights_verb
from trainer.commands import networks as networks_verb
from trainer.commands import predict as predict_verb
from trainer.commands import train as train_verb
from trainer.commands.shared import Parser, Verb, add_verb, prepare, run_command

# In the order of use.
_VERBS: dict[str, Verb] = {
    "data": data_verbs,
    "train": train_verb,
    "evaluate": evaluate_verb,
    "predict": predict_verb,
    "export": export_verb,
    "import-weights": import_weights_verb,
    "networks": networks_verb,
}


def main(arguments: list[str] | None = None) -> int:
    """``python -m trainer``: run one verb; return its exit status."""
    return run_command(create_parser().parse_args(arguments), "trainer")


def create_parser() -> Parser:
    """Every verb and its arguments."""
    parser = Parser(prog="python -m trainer", description="Labelled images in, a published model out.")
    parser.add_argument("--version", action="version", version=f"trainer {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, verb in _VERBS.items():
        prog = f"{parser.prog} models networks" if name == "networks" else None
        add_verb(commands, name, verb.SUMMARY, verb.add_arguments, getattr(verb, "run", None), prog)
    return parser


def data(arguments: list[str], prog: str) -> int:
    """``segstack data``."""
    return _run_verb("data", arguments, prog)


def train(arguments: list[str], prog: str) -> int:
    """``segstack train``."""
    return _run_verb("train", arguments, prog)


def evaluate(arguments: list[str], prog: str) -> int:
    """``segstack evaluate``."""
    return _run_verb("evaluate", arguments, prog)


def predict(arguments: list[str], prog: str) -> int:
    """``segstack predict``."""
    return _run_verb("predict", arguments, prog)


def export(arguments: list[str], prog: str) -> int:
    """``segstack export``."""
    return _run_verb("export", arguments, prog)


def import_weights(arguments: list[str], prog: str) -> int:
    """``segstack import-weights``."""
    return _run_verb("import-weights", arguments, prog)


def networks(arguments: list[str], prog: str) -> int:
    """``segstack models networks``."""
    return _run_verb("networks", arguments, prog)


def _run_verb(name: str, arguments: list[str], prog: str) -> int:
    """Run one verb; usage lines and errors begin with ``prog``."""
    verb = _VERBS[name]
    parser = Parser(prog=prog)
    prepare(parser, verb.SUMMARY, verb.add_arguments, getattr(verb, "run", None))
    options = parser.parse_args(arguments)
    return run_command(options, options.program)
