"""``python -m trainer``."""

import signal
import sys

from trainer.commands.cli import main

# On SIGTERM (`kill`, `docker stop`) a command removes half-written files, as on Ctrl+C.
signal.signal(signal.SIGTERM, signal.default_int_handler)
sys.exit(main())
