"""``python -m trainer``."""

import signal
import sys

from trainer.commands.cli import main

# Asked to end (`kill`, `docker stop`), a command removes what is half-written, as it does when a person interrupts it.
signal.signal(signal.SIGTERM, signal.default_int_handler)
sys.exit(main())
