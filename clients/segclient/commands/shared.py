"""What the commands share: the gateway's options, the parameters of a segmentation, progress bars, JSON lines."""

import argparse
import re
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from tqdm import tqdm

from segclient.api.client import Client
from segclient.api.connection import DEFAULT_URL, KEY_VARIABLE, URL_VARIABLE
from segclient.api.parameters import Form
from segclient.api.results import Segmentation
from segclient.commands.forms import FORMS
from segclient.errors import SettingsError

# name, name:version or name@label, the same syntax as in the gateway's settings.
_MODEL = re.compile(r"(?P<model>[^:@]+)(:(?P<version>\d+)|@(?P<label>.+))?")
# A terminal overwrites the bar; a log file keeps every line of it.
_TERMINAL_INTERVAL_S, _LOG_INTERVAL_S = 0.1, 15.0


def add_command(
    commands: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int],
    help_text: str,
    default: Form,
    without: Collection[Form] = (),
) -> argparse.ArgumentParser:
    """Add a command with the options that all have; ``run`` returns its exit status.

    ``--form`` takes every form but those in ``without``.
    """
    parser = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.set_defaults(run_command=run)
    forms = [form for form in FORMS if form not in without]
    described = ", ".join(f"{form} ({FORMS[form].description})" for form in forms)
    parser.add_argument(
        "--form", choices=forms, default=default, help=f"how the result looks: {described} (default: %(default)s)"
    )
    # Its former name.
    parser.add_argument("--as", dest="form", choices=forms, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("--alpha", type=float, default=0.5, help="opacity of an overlay, 0 to 1 (default: %(default)s)")
    parser.add_argument("--model", metavar="NAME", help="or NAME:VERSION, or NAME@LABEL; default: the gateway's")
    parser.add_argument("--classes", metavar="A,B", help="names or ids to keep; the others become the ignore id")
    parser.add_argument("--min-confidence", type=float, metavar="P", help="ignore less probable pixels, 0 to 1")
    gateway = parser.add_argument_group("gateway")
    gateway.add_argument("--url", help=f"default: {URL_VARIABLE}, else {DEFAULT_URL}")
    gateway.add_argument(
        "--api-key-file", type=Path, metavar="FILE", help=f"read the API key from it; default: {KEY_VARIABLE}"
    )
    gateway.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="a certificate authority to trust: the ca.pem that `segstack gateway cert` wrote on the gateway's machine",
    )
    gateway.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        metavar="S",
        help="seconds for each step of a request (default: %(default)g)",
    )
    gateway.add_argument(
        "--patience",
        type=float,
        default=60.0,
        metavar="S",
        help="seconds to retry a request that a busy or restarting gateway refuses (default: %(default)g)",
    )
    return parser


def add_parallel(parser: argparse.ArgumentParser) -> None:
    """Add ``--parallel``."""
    parser.add_argument(
        "--parallel", type=int, default=4, metavar="N", help="concurrent requests (default: %(default)s)"
    )


def create_client(options: argparse.Namespace) -> Client:
    """The client for the gateway that the options name.

    Raises:
        SettingsError: an option is invalid.
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


def segment_parameters(options: argparse.Namespace) -> Any:
    """Keyword arguments for the client's methods: a ``SegmentParameters`` with only those that were given.

    Raises:
        SettingsError: ``--model`` or ``--alpha`` is invalid.
    """
    parameters: dict[str, Any] = {}
    if options.model is not None:
        match = _MODEL.fullmatch(options.model)
        if not match:
            raise SettingsError(f"--model {options.model}: expected NAME, NAME:VERSION or NAME@LABEL")
        parameters |= {name: value for name, value in match.groupdict().items() if value is not None}
        if "version" in parameters:
            parameters["version"] = int(parameters["version"])
    if options.classes is not None:
        parameters["classes"] = [name.strip() for name in options.classes.split(",")]
    if options.min_confidence is not None:
        parameters["min_confidence"] = options.min_confidence
    if not 0 <= options.alpha <= 1:
        raise SettingsError(f"--alpha {options.alpha:g}: expected 0 to 1")
    return parameters


def progress_bar(description: str, unit: str, total: int | None, done: int = 0) -> tqdm:
    """A bar with rate and remaining time, on standard error because results may go through a pipe."""
    interval_s = _TERMINAL_INTERVAL_S if sys.stderr.isatty() else _LOG_INTERVAL_S
    return tqdm(
        desc=description,
        total=total,
        initial=done,
        unit=unit,
        mininterval=interval_s,
        maxinterval=max(10.0, interval_s),
    )


def frame_summary(result: Segmentation, **more: Any) -> dict[str, Any]:
    """The JSON line of a frame: model, the classes in it with their areas, and the time it took."""
    areas = result.areas
    classes = [{"id": c.id, "name": c.name, "area": round(areas[c.name], 6)} for c in result.classes if c.name in areas]
    summary = {"model": result.model, "version": result.version, "classes": classes}
    return {**more, **summary, "round_trip_ms": round(result.timings.round_trip_ms, 1)}
