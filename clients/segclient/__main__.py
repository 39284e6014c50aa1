"""``segclient`` and ``python -m segclient``."""

import signal
import sys

from segclient.commands.cli import main


def run() -> int:
    """What the installed script calls. Asked to end (`kill`), a command cleans up as it does for Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return main()


if __name__ == "__main__":
    sys.exit(run())
