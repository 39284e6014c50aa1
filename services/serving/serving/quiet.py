"""Importing TensorFlow without its chatter on standard error."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow() -> None:
    """Import TensorFlow silently, warnings of its C++ runtime included, unless TF_CPP_MIN_LOG_LEVEL asks for them.

    To be called before any other import that leads to TensorFlow, such as that of Serving's stubs.
    """
    if _LOG_LEVEL in os.environ:
        importlib.import_module("tensorflow")
        return
    os.environ[_LOG_LEVEL] = "2"
    with _native_stderr_silenced():
        tensorflow = importlib.import_module("tensorflow")
    # The v1 loader that serving stands on is deprecated, and says so at every load.
    tensorflow.get_logger().setLevel("ERROR")


@contextmanager
def _native_stderr_silenced() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: the C++ runtime greets there before any of its log levels counts."""
    kept = os.dup(2)
    nowhere = os.open(Path(os.devnull), os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
