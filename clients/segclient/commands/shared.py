"""What every command of the command line has in common: the gateway's options and what is asked of it."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segclient.api.client import Client
from segclient.api.connection import DEFAULT_URL, KEY_VARIABLE, URL_VARIABLE
from segclient.api.results import Segmentation
from segclient.errors import SettingsError

# name, or name:version, or name@label, as the gateway's own settings write it.
_MODEL = re.compile(r"(?P<model>[^:@]+)(:(?P<version>\d+)|@(?P<label>.+))?")


def add_command(
    commands: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int],
    help_text: str,
    kinds: tuple[str, ...],
) -> argparse.ArgumentParser:
    """A command that calls ``run`` with its options and ends with the status it gives; the first of ``kinds`` is the
    default of ``--as``.
    """
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.set_defaults(run_command=run)
    parser.add_argument("--as", dest="kind", choices=kinds, default=kinds[0], help="default: %(default)s")
    parser.add_argument("--alpha", type=float, default=0.5, help="opacity of an overlay, 0 to 1 (default: %(default)s)")
    parser.add_argument("--model", metavar="NAME", help="or NAME:VERSION, or NAME@LABEL; default: the gateway's")
    parser.add_argument("--classes", metavar="A,B", help="names or ids to keep; all else is ignored")
    parser.add_argument("--min-confidence", type=float, metavar="P", help="less probable pixels are ignored, 0 to 1")
    gateway = parser.add_argument_group("gateway")
    gateway.add_argument("--url", help=f"default: {URL_VARIABLE}, else {DEFAULT_URL}")
    gateway.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help=f"holds the key; default: the key in {KEY_VARIABLE}"
    )
    gateway.add_argument("--ca", type=Path, metavar="FILE", help="an authority to trust: the ca.pem of `make cert`")
    gateway.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="of each step, in seconds (default: %(default)g)"
    )
    gateway.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds that a request may go on being refused by a busy or restarting gateway (default: %(default)g)",
    )
    return parser


def add_parallel(parser: argparse.ArgumentParser) -> None:
    """``--parallel``."""
    parser.add_argument("--parallel", type=int, default=4, metavar="N", help="requests at once (default: %(default)s)")


def client(options: argparse.Namespace) -> Client:
    """For the gateway that the options name.

    Raises:
        SettingsError: they cannot be used.
    """
    key = None
    if options.api_key_file:
        try:
            key = options.api_key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"--api-key-file {options.api_key_file}: {error}; expected a file with a key") from None
        if not key:
            raise SettingsError(f"--api-key-file {options.api_key_file}: is empty; expected a file with a key")
    if not options.patience >= 0:
        raise SettingsError(f"--patience {options.patience:g}: expected 0 or more seconds")
    if getattr(options, "parallel", 1) < 1:
        raise SettingsError(f"--parallel {options.parallel}: expected 1 or more")
    return Client(options.url, api_key=key, ca=options.ca, timeout_s=options.timeout, patience_s=options.patience)


def asked(options: argparse.Namespace) -> Any:
    """The keyword arguments of the client's methods; what was left out is not among them.

    Raises:
        SettingsError: ``--model`` cannot be read.
    """
    wanted: dict[str, Any] = {}
    if options.model is not None:
        found = _MODEL.fullmatch(options.model)
        if not found:
            raise SettingsError(f"--model {options.model}: expected NAME, NAME:VERSION or NAME@LABEL")
        wanted |= {name: value for name, value in found.groupdict().items() if value is not None}
        if "version" in wanted:
            wanted["version"] = int(wanted["version"])
    if options.classes is not None:
        wanted["classes"] = [name.strip() for name in options.classes.split(",")]
    if options.min_confidence is not None:
        wanted["min_confidence"] = options.min_confidence
    if not 0 <= options.alpha <= 1:
        raise SettingsError(f"--alpha {options.alpha:g}: expected 0 to 1")
    return wanted


def described(result: Segmentation, **more: Any) -> dict[str, Any]:
    """What a JSON line says of a frame."""
    areas = result.areas
    classes = [{"id": c.id, "name": c.name, "area": round(areas[c.name], 6)} for c in result.classes if c.name in areas]
    facts = {"model": result.model, "version": result.version, "classes": classes}
    return {**more, **facts, "round_trip_ms": round(result.timings.round_trip_ms, 1)}
