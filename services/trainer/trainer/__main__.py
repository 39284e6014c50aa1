"""``python -m trainer``."""

import sys

from trainer.commands.cli import end_on_sigterm, main

end_on_sigterm()
sys.exit(main())
