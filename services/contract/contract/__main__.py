"""``python -m contract``: the same as ``segstack``."""

import sys

from contract.cli import run

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("list", "label", "rollback", "prune"):  # their names before `segstack models`
        sys.argv.insert(1, "models")
    sys.exit(run())
