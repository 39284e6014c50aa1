"""``segclient`` and ``python -m segclient``."""

import signal
import sys

from segclient.commands.cli import main


def run() -> int:
    """Entry point of the installed script. SIGTERM (`kill`) cleans up as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return main()


if __name__ == "__main__":
    sys.exit(run())
