"""The command line: its commands, and what it ends with."""

import argparse
import os
import sys
from importlib.metadata import version

from segclient.commands import (
    folder as folder_command,
)
from segclient.commands import (
    image as image_command,
)
from segclient.commands import (
    video as video_command,
)
from segclient.commands import (
    webcam as webcam_command,
)
from segclient.errors import GatewayError, PictureError, SegclientError, SettingsError

DONE, SOME_FAILED, CANNOT, NO_GATEWAY, STOPPED = 0, 1, 2, 3, 130

_EPILOG = """\
exit status:
  0    done
  1    an image or a video, or some of a folder, could not be segmented
  2    the command line or a setting cannot be used; nothing was written
  3    the gateway is away, or refuses: a key, a model, a parameter
  130  stopped by Ctrl-C
"""
# What the gateway says of the image itself: undecodable, too large, no image.
_IMAGES_OWN = frozenset({400, 413, 415})


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. Every error is one sentence on standard error."""
    options = create_parser().parse_args(arguments)
    try:
        return int(options.run_command(options))
    except SegclientError as error:
        print(f"segclient: {error}", file=sys.stderr)
        return _status(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # `segclient … | head`: whoever read has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        print(f"segclient: {error}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        print("segclient: stopped", file=sys.stderr)
        return STOPPED


def _status(error: SegclientError) -> int:
    if isinstance(error, SettingsError):
        return CANNOT
    if isinstance(error, PictureError) or (isinstance(error, GatewayError) and error.status in _IMAGES_OWN):
        return SOME_FAILED
    return NO_GATEWAY


def create_parser() -> argparse.ArgumentParser:
    """Every option and command."""
    parser = argparse.ArgumentParser(
        prog="segclient",
        description="Images, folders, videos and cameras through a Segstack gateway.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"segclient {version('segclient')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (image_command, folder_command, video_command, webcam_command):
        module.add_commands(commands)
    return parser
