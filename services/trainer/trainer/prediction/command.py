"""``python -m trainer predict``."""

import argparse


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``predict``."""
