"""Where a training came from, as ``run.json`` records it, so that it can be repeated."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf

from contract import __version__
from trainer.datasets.dataset import Dataset
from trainer.datasets.inspection import checksum
from trainer.input.pipeline import threads
from trainer.recipe import Recipe


def invocation() -> dict[str, Any]:
    """When a training was started or resumed, by which command and code, as JSON holds them."""
    return {
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["segstack", *sys.argv[1:]]),
        "git_revision": git_revision(),
        "versions": _versions(),
    }


def provenance(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """The invocation, the machine and the data set, as JSON holds them; ``dataset`` has been validated."""
    return {
        **invocation(),
        "machine": _machine(),
        "data": {
            "path": str(recipe.data.path),
            "images": {name: len(dataset.split(name)) for name in dataset.splits},
            "sha256": checksum(dataset),
        },
    }


def git_revision() -> str | None:
    """The commit that this code is at, marked when it has uncommitted changes; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(  # noqa: S603 - no argument comes from outside
            command, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _versions() -> dict[str, str]:
    packages = {"keras": keras, "tensorflow": tf, "numpy": np, "opencv": cv2}
    imported = {name: package.__version__ for name, package in packages.items()}
    return {"segstack": __version__, "python": platform.python_version(), **imported}


def _machine() -> dict[str, Any]:
    gpus = tf.config.list_physical_devices("GPU")
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": threads(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "gpus": [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus],
    }


def _processor() -> str:
    """The processor's name on Linux, elsewhere the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
