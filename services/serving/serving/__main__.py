"""``python -m serving``: the embedded server's command line."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from serving import engines, model_config, quiet
from serving import flags as command_line
from serving.flags import FlagError, Flags
from serving.model_config import ModelConfigError


def main(arguments: list[str]) -> int:
    """Read the command line and the model config, then serve; the process's exit status."""
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        given = command_line.parse(arguments)
        if given.unknown:
            print(f"unknown argument: {' '.join(given.unknown)}\n{command_line.usage()}", flush=True)
        engines.check(given.flags)
        config = _config(given.flags)
    except (FlagError, ModelConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if given.flags.rest_api_port:
        print(f"--rest_api_port={given.flags.rest_api_port}: the REST API is not served here", flush=True)
    if stop.is_set():
        return 0
    # TensorFlow takes seconds to import: not before the command line has proved worth it.
    quiet.import_tensorflow()
    from serving.server import serve

    return serve(given.flags, config, stop)


def _config(flags: Flags) -> Any:
    if flags.model_config_file:
        try:
            text = Path(flags.model_config_file).read_text(encoding="utf-8")
        except OSError as error:
            raise OSError(
                f"Failed to start server. Error: cannot read --model_config_file={flags.model_config_file}: "
                f"{error.strerror}. Publish a model first, or name a file that exists"
            ) from None
        return model_config.parse(text)
    if flags.model_base_path:
        return model_config.single_model(flags.model_name, flags.model_base_path)
    raise FlagError(
        f"neither --model_config_file nor --model_base_path is given: expected one of them\n{command_line.usage()}"
    )


if __name__ == "__main__":
    status = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: it would wait for calls that outlived their grace, and a load under way in C++ does not stop.
    os._exit(status)
