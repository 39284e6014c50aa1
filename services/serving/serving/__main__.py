"""``segstack serve``: the embedded server's command line."""

import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from contract import __version__
from serving import engines, monitoring_config
from serving import flags as command_line
from serving.flags import FlagError, Flags
from serving.models import model_config
from serving.models.model_config import ModelConfigError
from serving.monitoring_config import MonitoringConfigError

_CONFIG_POLL_S = 0.5
_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def main(arguments: Sequence[str] | None = None, prog: str = "segstack serve") -> NoReturn:
    """Serve according to the command line (``sys.argv`` by default), then end the process with the exit status."""
    status = run(sys.argv[1:] if arguments is None else arguments, prog)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: it would wait for calls that outlived their grace period, and a load in C++ does not stop.
    os._exit(status)


def run(arguments: Sequence[str], prog: str) -> int:
    """Read the command line and the model config, then serve until a signal; the exit status."""
    stop = stop_event()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    usage = command_line.usage(prog)
    try:
        given = command_line.parse(arguments)
        if "--help" in given.unknown or "-h" in given.unknown:
            print(usage)
            return 0
        if given.unknown:
            print(f"unknown argument: {' '.join(given.unknown)}\n{usage}", flush=True)
        if given.flags.version:
            print(f"serving {__version__}")
            return 0
        command_line.check(given.flags)
        engines.check(given.flags)
        metrics_path = _metrics_path(given.flags)
        if not (given.flags.model_config_file or given.flags.model_base_path):
            raise FlagError(
                f"neither --model_config_file nor --model_base_path is given: expected one of them\n{usage}"
            )
        config = _config(given.flags, stop)
    except (FlagError, ModelConfigError, MonitoringConfigError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # in TensorFlow Serving's words
        print(error, file=sys.stderr)
        return 1
    if stop.is_set():
        return 0
    # TensorFlow takes seconds to import: only after the command line has been checked.
    import_tensorflow()
    from serving.server import serve

    return serve(given.flags, config, metrics_path, stop)


def stop_event() -> threading.Event:
    """An event that SIGTERM and SIGINT set from now on, whichever thread they reach; call once, in the main thread.

    A Python handler would not do: it runs in the main thread when that next runs Python, and a signal that arrives
    just before the main thread goes to sleep on a lock, or in one of C++'s threads, is not seen until something else
    wakes it. The C handler itself writes to the wake-up descriptor, which is always seen.
    """
    stop = threading.Event()
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: None)

    def wait() -> None:
        os.read(read, 1)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stop


def import_tensorflow() -> None:
    """Import TensorFlow silently, warnings of its C++ runtime included, unless TF_CPP_MIN_LOG_LEVEL is set.

    Call it before any other import that imports TensorFlow, such as that of TensorFlow Serving's stubs.
    """
    if _LOG_LEVEL in os.environ:
        importlib.import_module("tensorflow")
        return
    os.environ[_LOG_LEVEL] = "2"
    with _native_stderr_silenced():
        tensorflow = importlib.import_module("tensorflow")
    # The v1 loader that this server uses is deprecated, and logs so at every load.
    tensorflow.get_logger().setLevel("ERROR")


@contextmanager
def _native_stderr_silenced() -> Iterator[None]:
    """Send file descriptor 2 to the null device: the C++ runtime logs there before it reads its log level."""
    kept = os.dup(2)
    null = os.open(Path(os.devnull), os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _metrics_path(flags: Flags) -> str | None:
    if not flags.monitoring_config_file:
        return None
    if not flags.rest_api_port:
        print("--monitoring_config_file has no effect without --rest_api_port, where metrics are served", flush=True)
        return None
    return monitoring_config.prometheus_path(_read(flags.monitoring_config_file, "monitoring_config_file"))


def _config(flags: Flags, stop: threading.Event) -> Any:
    """The ModelServerConfig message; None when ``stop`` was set while waiting for the file."""
    if not flags.model_config_file:
        return model_config.single_model(flags.model_name, flags.model_base_path)
    if flags.wait_for_config and not Path(flags.model_config_file).exists():
        print(f"waiting for {flags.model_config_file}: publish a first model", flush=True)
        while not Path(flags.model_config_file).exists():
            if stop.wait(_CONFIG_POLL_S):
                return None
    return model_config.parse(_read(flags.model_config_file, "model_config_file", "Publish a model first, or name"))


def _read(path: str, flag: str, remedy: str = "Name") -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise OSError(
            f"Failed to start server. Error: cannot read --{flag}={path}: {error.strerror}. {remedy} a file that exists"
        ) from None


if __name__ == "__main__":
    main()
