"""``segstack gateway``, or ``python -m gateway``: serve HTTP until stopped; or make API keys and certificates."""

import argparse
import contextlib
import ctypes
import gc
import getpass
import os
import signal
import sys
from pathlib import Path

from contract import __version__
from gateway.access.keys import ApiKeysError, line_of, new_key
from gateway.settings import Settings, SettingsError, load_settings, variables

# uvicorn's exit status when it cannot bind its port.
_STARTUP_FAILURE = 3

# glibc's malloc.h. An RGB image of 1920x1080 is 6 MiB; larger buffers still return to the system at once.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST_KEPT_BYTES = 8 * 2**20
_KEPT_BYTES = 32 * 2**20


def main(arguments: list[str] | None = None, prog: str = "python -m gateway") -> int:
    """Run a command and return its exit status: 2, and one sentence on standard error, for what cannot be used."""
    parsed = create_parser(prog).parse_args(arguments)
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
                    return _refuse(prog, error)
                return 0
            case _:
                return _serve(load_settings(), prog)
    except (SettingsError, ApiKeysError) as error:
        return _refuse(prog, error)


def create_parser(prog: str = "python -m gateway") -> argparse.ArgumentParser:
    """Every option and command."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Images in over HTTP, masks or coloured overlays out. Without a command it serves.",
        epilog=f"Set by environment variables, which docs/gateway.md explains: {', '.join(variables())}.",
    )
    parser.add_argument("--version", action="version", version=f"gateway {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command")
    new = commands.add_parser("new-key", help="make an API key: printed once, with the line for GATEWAY_API_KEYS_FILE")
    new.add_argument("name", help="the key's owner, for logs and limits")
    hashed = commands.add_parser("hash-key", help="print that line for an existing key, read from standard input")
    hashed.add_argument("name", help="the key's owner")
    cert = commands.add_parser(
        "cert", help="make a certificate for a home network: browsers allow cameras only over HTTPS"
    )
    cert.add_argument("--output", type=Path, default=Path("certs"), metavar="FOLDER", help="default: certs")
    cert.add_argument("names", nargs="*", help="host names and addresses; default: this machine's own")
    return parser


def keep_buffers() -> None:
    """Let glibc keep what one request frees for the next; to be called once, before the first.

    By default, glibc returns buffers of an image's size to the system and requests them again, page by page: at 640x480
    that took 1.1 of the 3.2 ms of a call to a model that answers at once. One heap per core is enough, and bounds what
    is kept. With another C library this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, os.cpu_count() or 1)


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
        raise ApiKeysError("that key is too short to be random; `segstack gateway new-key NAME` makes one")
    print(line_of(name, key))
    return 0


def _serve(settings: Settings, prog: str) -> int:
    # Late imports, so that --help and a wrong setting are answered at once. OpenCV reads the variable when it is
    # loaded: a second check behind that of gateway.imaging.images.
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(settings.max_pixels)
    # What is loaded now lives as long as the process: the garbage collector would spend a tenth of the start on it, and
    # later pause requests for it again and again.
    gc.disable()
    from gateway.flow import tracing
    from gateway.request import logs
    from gateway.transport.server import server

    keep_buffers()
    logs.configure(settings)
    if settings.tracing:
        try:
            tracing.export_spans()
        except tracing.TracingError as error:
            return _refuse(prog, error)
    gateway = server(settings)
    gc.freeze()
    gc.enable()
    # After its shutdown uvicorn raises the signal that caused it once more. It must not kill the process, which still
    # has spans to send.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        gateway.run()
    return 0 if gateway.started else _STARTUP_FAILURE


def _refuse(prog: str, error: Exception) -> int:
    print(f"{prog}: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
