"""The command line of ``segclient``: its commands and its exit statuses."""

import argparse
import os
import sys
from importlib.metadata import version

from segclient.commands import folder, image, video, webcam
from segclient.errors import GatewayError, ImageError, SegclientError, SettingsError

DONE, SOME_FAILED, UNUSABLE, NO_GATEWAY, STOPPED = 0, 1, 2, 3, 130

_EPILOG = """\
exit status:
  0    done
  1    an image, a video, or some images of a folder could not be segmented
  2    invalid command line or setting; nothing was written
  3    the gateway is unreachable, or refuses a key, a model or a parameter
  130  stopped by Ctrl-C
"""
# HTTP statuses about the image itself: undecodable, too large, not an image.
_IMAGE_STATUSES = frozenset({400, 413, 415})


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status. Errors are one sentence each on standard error."""
    options = create_parser().parse_args(arguments)
    try:
        return int(options.run_command(options))
    except SegclientError as error:
        print(f"segclient: {error}", file=sys.stderr)
        return _status(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # `segclient … | head`: the reader has what it wanted
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        print(f"segclient: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print("segclient: stopped", file=sys.stderr)
        return STOPPED


def _status(error: SegclientError) -> int:
    if isinstance(error, SettingsError):
        return UNUSABLE
    if isinstance(error, ImageError) or (isinstance(error, GatewayError) and error.status in _IMAGE_STATUSES):
        return SOME_FAILED
    return NO_GATEWAY


def create_parser() -> argparse.ArgumentParser:
    """The parser with every command."""
    parser = argparse.ArgumentParser(
        prog="segclient",
        description="Segment images, folders, videos and cameras through a Segstack gateway.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"segclient {version('segclient')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (image, folder, video, webcam):
        module.add_parser(commands)
    return parser
