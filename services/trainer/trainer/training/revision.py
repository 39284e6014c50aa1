"""Which code this is."""

import subprocess
from pathlib import Path


def git_revision() -> str | None:
    """The commit that this code is at, marked when it has uncommitted changes; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(  # noqa: S603 - our own words alone
            command, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
