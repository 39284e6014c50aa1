"""``segstack``: one command for everything, listed in the order from labelled images to masks over HTTP.

A service declares its commands as entry points of the group ``segstack.commands``: the name is the command, a dot nests
it (``models.networks`` is ``segstack models networks``), and the value is a function that takes the arguments after it
and the name for usage lines, and returns the exit status. So no service imports another, and every image has only its
service's commands.
"""

import difflib
import signal
import sys
from importlib import metadata
from typing import Any, Dict, List, NamedTuple, Sequence

from contract.version import __version__

GROUP = "segstack.commands"


class Command(NamedTuple):
    """One line of ``segstack --help``, and the service whose package, segstack-<service>, has the command."""

    service: str
    help: str


COMMANDS = {
    "data": Command("trainer", "import, validate, preview, augment labelled images"),
    "train": Command("trainer", "train a network on a data set, or resume a run"),
    "evaluate": Command("trainer", "measure a model or a run on labelled images"),
    "predict": Command("trainer", "segment images, folders and videos"),
    "export": Command("trainer", "publish a trained run, or a Keras network of your own"),
    "import-weights": Command("trainer", "read a PyTorch checkpoint into one of the networks"),
    "models": Command("contract", "list, label, roll back, prune, remove published models"),
    "models.networks": Command("trainer", "list the networks that can be trained"),
    "convert": Command("converter", "convert a published model with TensorRT"),
    "serve": Command("serving", "serve models over gRPC and REST, without Docker"),
    "gateway": Command("gateway", "images in, masks out over HTTP; keys and certificates"),
}


def main(arguments: Sequence[str]) -> int:
    """Run the command that ``arguments`` begin with; its exit status, or 2 when there is no such command."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        print(f"segstack {__version__}")
        return 0
    words = 2 if ".".join(arguments[:2]) in COMMANDS else 1
    name, typed = ".".join(arguments[:words]), " ".join(arguments[:words])
    command = _installed().get(name)
    if command is not None:
        return command.load()(list(arguments[words:]), f"segstack {typed}") or 0
    if name in COMMANDS:
        service = COMMANDS[name].service
        print(
            f"segstack: `{typed}` is in the package segstack-{service}, which is not installed here; install it from "
            f"the repository's folder with: pip install ./services/{service}; or use the image segstack/{service}",
            file=sys.stderr,
        )
        return 2
    nearest = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    hint = f"did you mean `segstack {nearest[0].replace('.', ' ')}`?" if nearest else "see `segstack --help`"
    print(f"segstack: there is no command {name!r}: {hint}", file=sys.stderr)
    return 2


def run() -> int:
    """``segstack`` itself. Ended by SIGTERM (``kill``, ``docker stop``), a command cleans up as after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return main(sys.argv[1:])


def _installed() -> Dict[str, Any]:
    """The entry points of the group, by name."""
    found = metadata.entry_points()
    # A mapping of groups up to Python 3.9, an object with select() from 3.10.
    points = found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())  # type: ignore[attr-defined]
    return {point.name: point for point in points}


def _help() -> str:
    installed = _installed()
    width = max(map(len, COMMANDS)) + 2
    lines: List[str] = [
        "usage: segstack COMMAND …          segstack COMMAND --help explains a command",
        "",
        "From labelled images to masks over HTTP:",
    ]
    for name, command in COMMANDS.items():
        missing = "" if name in installed else f"  [needs segstack-{command.service}]"
        lines.append(f"  {name.replace('.', ' '):{width}}{command.help}{missing}")
    return "\n".join([*lines, "", "segstack --version prints the version, which is that of every service."])
