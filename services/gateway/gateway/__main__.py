"""``python -m gateway``: serve HTTP until told to stop; and what is needed beside it, API keys and certificates."""

import argparse
import contextlib
import gc
import getpass
import os
import signal
import sys
from pathlib import Path

from contract import __version__
from gateway.access.keys import ApiKeysError, line_of, new_key
from gateway.settings import Settings, SettingsError, load_settings, variables

# What uvicorn exits with when it cannot bind its port.
_STARTUP_FAILURE = 3


def main() -> int:
    """Do what the command line says; exit status 2 for anything that cannot be used, with one sentence why."""
    parsed = create_parser().parse_args()
    try:
        match parsed.command:
            case "new-key":
                return _new_key(parsed.name)
            case "hash-key":
                return _hash_key(parsed.name)
            case "cert":
                from gateway.transport.certificates import CertificateError, make_certificates

                try:
                    print(make_certificates(parsed.output, parsed.names))
                except CertificateError as error:
                    return _refuse(error)
                return 0
            case _:
                return _serve(load_settings())
    except (SettingsError, ApiKeysError) as error:
        return _refuse(error)


def create_parser() -> argparse.ArgumentParser:
    """Every option and command."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway",
        description="Images in over HTTP, masks or coloured overlays out. Without a command it serves.",
        epilog=f"Set by environment variables, which docs/gateway.md explains: {', '.join(variables())}.",
    )
    parser.add_argument("--version", action="version", version=f"gateway {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    new = commands.add_parser("new-key", help="make an API key: printed once, with the line for GATEWAY_API_KEYS_FILE")
    new.add_argument("name", help="whose it will be, for logs and limits")
    hashed = commands.add_parser("hash-key", help="the same line for a key that exists, read from standard input")
    hashed.add_argument("name", help="whose it is")
    cert = commands.add_parser(
        "cert", help="make a certificate for a home network: browsers give cameras only to HTTPS"
    )
    cert.add_argument("--output", type=Path, default=Path("certs"), metavar="FOLDER", help="default: certs")
    cert.add_argument("names", nargs="*", help="host names and addresses; default: this machine's own")
    return parser


def _new_key(name: str) -> int:
    key = new_key()
    line = line_of(name, key)
    print(key)
    print(f"The line above is the key; it is not shown again. Store this one:\n{line}", file=sys.stderr)
    return 0


def _hash_key(name: str) -> int:
    # Never from the command line, which other users and the shell's history see.
    key = (getpass.getpass("API key: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if len(key) < 32:
        raise ApiKeysError("that key is too short to be random; `python -m gateway new-key NAME` makes one")
    print(line_of(name, key))
    return 0


def _serve(settings: Settings) -> int:
    # Late imports, so that --help and a wrong setting are answered at once; and OpenCV reads this when it is loaded:
    # a second lock on the door that gateway.imaging.images closes before decoding.
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(settings.max_pixels)
    # What is loaded now stays: collecting garbage among it would cost a tenth of the start, and later, again and
    # again, a pause in the middle of a request.
    gc.disable()
    from gateway.flow import tracing
    from gateway.request import logs, memory
    from gateway.transport.server import server

    memory.keep_buffers()
    logs.configure(settings)
    if settings.tracing:
        try:
            tracing.export_spans()
        except tracing.TracingError as error:
            return _refuse(error)
    gateway = server(settings)
    gc.freeze()
    gc.enable()
    # Once it has shut down, uvicorn raises the signal that told it to once more. It must not kill the process, which
    # has spans to send when it ends.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        gateway.run()
    return 0 if gateway.started else _STARTUP_FAILURE


def _refuse(error: Exception) -> int:
    print(f"gateway: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
