"""``python -m serving``: the embedded server's command line."""

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from contract import __version__
from serving import engines, monitoring_config, quiet, signals
from serving import flags as command_line
from serving.flags import FlagError, Flags
from serving.models import model_config
from serving.models.model_config import ModelConfigError
from serving.monitoring_config import MonitoringConfigError

_CONFIG_POLL_S = 0.5


def main(arguments: list[str]) -> int:
    """Read the command line and the model config, then serve; the process's exit status."""
    stop = signals.stop_event()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        given = command_line.parse(arguments)
        if given.unknown:
            print(f"unknown argument: {' '.join(given.unknown)}\n{command_line.usage()}", flush=True)
        if given.flags.version:
            print(f"serving {__version__}")
            return 0
        command_line.check(given.flags)
        engines.check(given.flags)
        metrics_path = _metrics_path(given.flags)
        config = _config(given.flags, stop)
    except (FlagError, ModelConfigError, MonitoringConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if stop.is_set():
        return 0
    # TensorFlow takes seconds to import: not before the command line has proved worth it.
    quiet.import_tensorflow()
    from serving.server import serve

    return serve(given.flags, config, metrics_path, stop)


def _metrics_path(flags: Flags) -> str | None:
    if not flags.monitoring_config_file:
        return None
    if not flags.rest_api_port:
        print("--monitoring_config_file has no effect without --rest_api_port, where metrics are served", flush=True)
        return None
    return monitoring_config.prometheus_path(_read(flags.monitoring_config_file, "monitoring_config_file"))


def _config(flags: Flags, stop: threading.Event) -> Any:
    if flags.model_config_file:
        if flags.wait_for_config and not Path(flags.model_config_file).exists():
            print(f"waiting for {flags.model_config_file}: publish a first model", flush=True)
            while not Path(flags.model_config_file).exists():
                if stop.wait(_CONFIG_POLL_S):
                    return None
        return model_config.parse(_read(flags.model_config_file, "model_config_file", "Publish a model first, or name"))
    if flags.model_base_path:
        return model_config.single_model(flags.model_name, flags.model_base_path)
    raise FlagError(
        f"neither --model_config_file nor --model_base_path is given: expected one of them\n{command_line.usage()}"
    )


def _read(path: str, flag: str, remedy: str = "Name") -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise OSError(
            f"Failed to start server. Error: cannot read --{flag}={path}: {error.strerror}. {remedy} a file that exists"
        ) from None


if __name__ == "__main__":
    status = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: it would wait for calls that outlived their grace, and a load under way in C++ does not stop.
    os._exit(status)
