"""The server as a whole: manager, gRPC, REST, polling of models.config, and shutdown."""

import logging
import sys
import threading
from pathlib import Path
from typing import Any

import tensorflow as tf

from serving import engines, memory
from serving import flags as command_line
from serving.errors import ServingError
from serving.flags import Flags
from serving.models import model_config
from serving.models.loading import Loader
from serving.models.manager import Manager, Options
from serving.models.versions import Retries
from serving.rpc import grpc_server
from serving.rpc.rest import RestServer

log = logging.getLogger(__name__)

# Time for the running calls after SIGTERM; containers are killed 10 s after it.
_DRAIN_S = 5.0


def serve(flags: Flags, config: Any, metrics_path: str | None, stop: threading.Event) -> int:
    """Load the models that ``config`` lists, open the ports, serve until ``stop`` is set; return the exit status.

    As with TensorFlow Serving, the port opens only when the first models have loaded: an open port means a ready
    server. The metrics are at ``metrics_path`` of the REST port, if both are given.
    """
    print(
        f"Not TensorFlow Serving: the same gRPC protocol on TensorFlow {tf.__version__} of this Python "
        f"{sys.version_info.major}.{sys.version_info.minor}; no batching, predictions only over gRPC",
        flush=True,
    )
    memory.freeze_imports()
    memory.limit_arenas()
    manager = _manager(flags)
    try:
        manager.reload(config, cancelled=stop.is_set)
        rest = RestServer(flags.host, flags.rest_api_port, manager, metrics_path) if flags.rest_api_port else None
        server, port = grpc_server.listen(flags, manager)
    except (ServingError, OSError) as error:
        manager.close()
        if stop.is_set():
            return 0
        print(f"Failed to start server. Error: {error}", file=sys.stderr, flush=True)
        return 1
    if flags.model_config_file and flags.model_config_file_poll_wait_seconds > 0:
        threading.Thread(target=_poll_config, args=(flags, manager, stop), name="model-config", daemon=True).start()
    if rest is not None:
        content = f"model status, metrics at {metrics_path}" if metrics_path else "model status"
        print(f"REST on {flags.host}:{flags.rest_api_port}: {content}", flush=True)
    print(f"ready on {flags.host}:{port}", flush=True)
    stop.wait()
    log.info("stopping: running calls have %g s", _DRAIN_S)
    drained = server.stop(_DRAIN_S)
    if rest is not None:
        rest.close()
    drained.wait()
    manager.close()
    return 0


def _manager(flags: Flags) -> Manager:
    session_config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=flags.tensorflow_intra_op_parallelism,
        inter_op_parallelism_threads=flags.tensorflow_inter_op_parallelism,
    )

    loader = Loader(
        engines.loader(flags, session_config),
        flags.enable_model_warmup,
        flags.num_load_threads,
        flags.num_unload_threads,
    )
    return Manager(
        Options(
            load=loader.load,
            unload=loader.unload,
            local_path=lambda base_path: command_line.local_path(base_path, flags.models_root),
            retries=Retries(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6),
            poll_wait_s=flags.file_system_poll_wait_seconds,
            labels_may_run_ahead=flags.allow_version_labels_for_unavailable_models,
        )
    )


def _poll_config(flags: Flags, manager: Manager, stop: threading.Event) -> None:
    """Apply the config file repeatedly, as TensorFlow Serving does: a label refused now may be valid later."""
    logged = ""
    while not stop.wait(flags.model_config_file_poll_wait_seconds):
        try:
            text = Path(flags.model_config_file).read_text(encoding="utf-8")
            manager.reload(model_config.parse(text), cancelled=stop.is_set)
            logged = ""
        except (OSError, ValueError, ServingError) as error:
            if str(error) != logged and not stop.is_set():
                log.error("%s: %s; the served models are unchanged", flags.model_config_file, error)
            logged = str(error)
