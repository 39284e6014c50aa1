"""Importing TensorFlow without its messages on standard error."""

import importlib
import os
from pathlib import Path


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up messages, unless the user has set its log level.

    Its C++ runtime writes them to file descriptor 2 before any log level applies.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    standard_error = os.dup(2)
    with Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), 2)
    try:
        tensorflow = importlib.import_module("tensorflow")
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
    # The v1 loader, which checks an export as TensorFlow Serving does, prints a deprecation warning.
    tensorflow.get_logger().setLevel("ERROR")
