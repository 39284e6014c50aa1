"""``segstack models``: the commands for the repository of published models."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any, Optional, Sequence

from contract.card import CardError
from contract.repository import inventory, inventory_text
from contract.repository.labels import label, remove_label
from contract.repository.model import RepositoryError
from contract.repository.prune import prune, remove_version
from contract.repository.publish import PublishError
from contract.repository.rollback import rollback
from contract.serving_config.models_config import ModelsConfigError

_DESCRIPTION = """\
Manages a repository of published models. It shows what the files contain: which versions serving has really
loaded is in the gateway's GET /models. Each change is made under the repository's lock and is atomic; serving follows
within seconds."""


def main(arguments: Optional[Sequence[str]] = None, prog: str = "segstack models") -> int:
    """Run one command; 0 when done, 1 after an error in one sentence, 2 for a wrong command line."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    options = create_parser(prog).parse_args(arguments)
    try:
        if not options.models_root.is_dir():
            raise RepositoryError(f"{options.models_root} is not a folder: name the repository with --models-root")
        options.run(options)
    except (RepositoryError, CardError, ModelsConfigError, PublishError, OSError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{prog}: stopped; the repository is unchanged", file=sys.stderr)
        return 130
    return 0


def create_parser(prog: str) -> argparse.ArgumentParser:
    """Every option and command."""
    parser = argparse.ArgumentParser(prog=prog, description=_DESCRIPTION)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")

    command = _command(commands, "list", _list, "list models: versions, states, sizes, labels, cards")
    command.add_argument("model", nargs="?", metavar="MODEL", help="only this model")
    command.add_argument("--json", action="store_true", help="print JSON")

    command = _command(commands, "label", _label, "point a label at a version, which serving then keeps loaded")
    command.add_argument("model", metavar="MODEL")
    command.add_argument("label", metavar="LABEL", help="stable, canary, …: clients request it in place of a version")
    command.add_argument("version", type=_positive, nargs="?", metavar="VERSION")
    command.add_argument("--remove", action="store_true", help="remove the label")

    command = _command(commands, "rollback", _rollback, "publish an earlier version again, as the next number")
    command.add_argument("model", metavar="MODEL")
    command.add_argument("--to", type=_positive, metavar="VERSION", help="default: the one before the newest")

    command = _command(commands, "prune", _prune, "remove versions that are neither loaded nor labelled")
    command.add_argument("model", nargs="?", metavar="MODEL")
    command.add_argument("--all", action="store_true", help="prune every model")
    command.add_argument(
        "--keep", type=_positive, default=2, metavar="N", help="keep at least the N newest (default: %(default)s)"
    )
    command.add_argument("--dry-run", action="store_true", help="print what would be removed, and remove nothing")

    command = _command(commands, "remove", _remove, "remove one version that is neither loaded nor labelled")
    command.add_argument("model", metavar="MODEL")
    command.add_argument("version", type=_positive, metavar="VERSION")

    # `segstack` finds it by its entry point, in the trainer; here it is one line of --help.
    commands.add_parser("networks", help="list the networks that can be trained (segstack-trainer)", add_help=False)
    return parser


def _command(commands: Any, name: str, run: object, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
    )
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument("--models-root", type=Path, default=Path("models_repo"), help="default: %(default)s")
    return parser


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _list(options: argparse.Namespace) -> None:
    models = inventory.stored_models(options.models_root)
    if options.model is not None:
        names = [model.name for model in models]
        models = [model for model in models if model.name == options.model]
        if not models:
            there = ", ".join(names) or "none"
            raise RepositoryError(f"model {options.model!r} not found in {options.models_root}; models there: {there}")
    print(inventory_text.as_json(models) if options.json else inventory_text.as_table(models))


def _label(options: argparse.Namespace) -> None:
    name, text = options.model, options.label
    if options.remove == (options.version is not None):
        options.parser.error("expected either a version to point the label at, or --remove")
    if options.remove:
        version = remove_label(options.models_root, name, text)
        print(f"{name}: {text} removed; it was version {version}")
        return
    before = label(options.models_root, name, text, options.version)
    was = f"; it was version {before}" if before not in (None, options.version) else ""
    print(f"{name}: {text} is version {options.version}, as soon as serving has it loaded{was}")


def _rollback(options: argparse.Namespace) -> None:
    done = rollback(options.models_root, options.model, options.to)
    print(
        f"{options.model}: version {done.source} is published again as version {done.version}, and serves in place of "
        f"version {done.replaced}; labels stay where they are"
    )


def _prune(options: argparse.Namespace) -> None:
    if options.all == (options.model is not None):
        options.parser.error("expected either a model or --all")
    names = [options.model]
    if options.all:
        models = inventory.stored_models(options.models_root)
        names = [model.name for model in models if any(stored.version is not None for stored in model.versions)]
    would = "would remove" if options.dry_run else "removed"
    for name in names:
        removed = prune(options.models_root, name, options.keep, options.dry_run)
        print(f"{name}: {would} {', '.join(map(str, removed)) or 'nothing'}")


def _remove(options: argparse.Namespace) -> None:
    remove_version(options.models_root, options.model, options.version)
    print(f"{options.model}: version {options.version} removed")
