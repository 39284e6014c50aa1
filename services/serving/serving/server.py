"""The server put together: manager, the two services, the port, the polls, and the way down."""

import logging
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving import engines, model_config, warmup
from serving import flags as command_line
from serving.errors import ServingError
from serving.flags import Flags
from serving.manager import Manager, Options
from serving.model_service import ModelService
from serving.prediction_service import PredictionService
from serving.servable import Servable
from serving.versions import Retries

log = logging.getLogger(__name__)

# What SIGTERM leaves to the calls under way; containers are killed 10 s after it.
_DRAIN_S = 5.0

_INT32_MAX = 2**31 - 1


def serve(flags: Flags, config: Any, stop: threading.Event) -> int:
    """Load what ``config`` lists, open the port, serve until ``stop`` is set; the process's exit status.

    As with TensorFlow Serving the port opens only when the first models have loaded: an open port is a ready server.
    """
    print(
        f"Not TensorFlow Serving: the same gRPC protocol on TensorFlow {tf.__version__} of this Python "
        f"{sys.version_info.major}.{sys.version_info.minor}; no REST API, no batching",
        flush=True,
    )
    manager = _manager(flags)
    try:
        manager.reload(config, cancelled=stop.is_set)
        server, port = _listen(flags, manager)
    except (ServingError, OSError) as error:
        manager.close()
        if stop.is_set():
            return 0
        print(f"Failed to start server. Error: {error}", file=sys.stderr, flush=True)
        return 1
    if flags.model_config_file and flags.model_config_file_poll_wait_seconds > 0:
        threading.Thread(target=_poll_config, args=(flags, manager, stop), name="model-config", daemon=True).start()
    print(f"ready on {flags.host}:{port}", flush=True)
    stop.wait()
    log.info("stopping: the calls under way have %g s", _DRAIN_S)
    server.stop(_DRAIN_S).wait()
    manager.close()
    return 0


def _manager(flags: Flags) -> Manager:
    session_config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=flags.tensorflow_intra_op_parallelism,
        inter_op_parallelism_threads=flags.tensorflow_inter_op_parallelism,
    )

    load_on_engine = engines.loader(flags, session_config)

    def load(version_path: Path) -> Servable:
        servable = load_on_engine(version_path)
        if flags.enable_model_warmup:
            try:
                warmup.run(servable, version_path)
            except ServingError:
                servable.close()
                raise
        return servable

    return Manager(
        Options(
            load=load,
            local_path=lambda base_path: command_line.local_path(base_path, flags.models_root),
            retries=Retries(flags.max_num_load_retries, flags.load_retry_interval_micros / 1e6),
            poll_wait_s=flags.file_system_poll_wait_seconds,
            labels_may_run_ahead=flags.allow_version_labels_for_unavailable_models,
        )
    )


def _listen(flags: Flags, manager: Manager) -> tuple[grpc.Server, int]:
    # Threads rather than asyncio: a call is one blocking run that releases the GIL, and a slow one holds up no other.
    server = grpc.server(
        futures.ThreadPoolExecutor(flags.grpc_max_threads, thread_name_prefix="grpc"),
        options=[
            ("grpc.max_receive_message_length", _INT32_MAX),
            ("grpc.max_send_message_length", _INT32_MAX),
            # Two servers on one port would share its requests out; the second one had better say so and stop.
            ("grpc.so_reuseport", 0),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(manager), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(manager), server)
    try:
        port = server.add_insecure_port(f"{flags.host}:{flags.port}")
    except RuntimeError:
        raise OSError(
            f"cannot listen on {flags.host}:{flags.port}: taken by another process, or not an address of this "
            "machine; give another --port or --host"
        ) from None
    server.start()
    return server, port


def _poll_config(flags: Flags, manager: Manager, stop: threading.Event) -> None:
    """Apply the config file again and again, as TensorFlow Serving does: a label refused now may be right later."""
    said = ""
    while not stop.wait(flags.model_config_file_poll_wait_seconds):
        try:
            text = Path(flags.model_config_file).read_text(encoding="utf-8")
            manager.reload(model_config.parse(text), cancelled=stop.is_set)
            said = ""
        except (OSError, ValueError, ServingError) as error:
            if str(error) != said and not stop.is_set():
                log.error("%s: %s; what is served stays as it is", flags.model_config_file, error)
            said = str(error)
