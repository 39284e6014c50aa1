"""``python publisher.py MODELS_ROOT [STAGE]``: publishes a version; at STAGE it prints a line and waits for one.

The test kills it there, or lets it continue. The stages, in order: write, check, sync, rename (everything is
written), list (the version is there, models.config does not know it), replace (its new text is in a temporary file).
"""

import os
import sys
from pathlib import Path

from contract import ClassInfo, ModelCard, publish
from contract.serving_config import models_config

root, stage = Path(sys.argv[1]), (sys.argv[2:] or [""])[0]


def stop(*_):
    print("here", flush=True)
    sys.stdin.readline()


def stop_before(owner, name):
    """Have the first call of ``owner.name`` wait; it then does what it always did."""
    original = getattr(owner, name)

    def stopping(*args):
        setattr(owner, name, original)
        stop()
        return original(*args)

    setattr(owner, name, stopping)


def write(folder):
    (folder / "saved_model.pb").write_bytes(b"gra")
    if stage == "write":
        stop()
    (folder / "saved_model.pb").write_bytes(b"graph")


if stage in ("sync", "rename", "list", "replace"):
    stop_before(
        *{
            "sync": (os, "fsync"),
            "rename": (Path, "rename"),
            "list": (models_config, "list_model"),
            "replace": (Path, "replace"),
        }[stage]
    )
classes = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "road", (128, 64, 128)))
card = ModelCard("road", "ddrnet23_slim", 32, 48, classes)
print(publish(root, card, write, stop if stage == "check" else lambda folder: None))
