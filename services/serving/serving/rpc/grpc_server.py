"""The gRPC server: both services on one port, and optionally on a unix socket."""

from concurrent import futures

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc

from serving import flags as command_line
from serving.flags import Flags
from serving.models.manager import Manager
from serving.rpc import prediction_service
from serving.rpc.model_service import ModelService
from serving.rpc.prediction_service import PredictionService

_INT32_MAX = 2**31 - 1

_OPTIONS = {
    "grpc.max_receive_message_length": _INT32_MAX,
    "grpc.max_send_message_length": _INT32_MAX,
    # Otherwise two servers on one port would share its requests; the second must fail instead.
    "grpc.so_reuseport": 0,
}


def listen(flags: Flags, manager: Manager) -> tuple[grpc.Server, int]:
    """Start answering from the models of ``manager``; return the server and its TCP port.

    Raises:
        OSError: the port or the socket is not available; the message says what to do.
    """
    # Threads rather than asyncio: a call is one blocking run that releases the GIL, and a slow one blocks no other.
    server = grpc.server(
        futures.ThreadPoolExecutor(flags.grpc_max_threads, thread_name_prefix="grpc"),
        options=list((_OPTIONS | command_line.channel_arguments(flags.grpc_channel_arguments)).items()),
    )
    prediction_service.add_to_server(PredictionService(manager), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(manager), server)
    try:
        port = server.add_insecure_port(f"{flags.host}:{flags.port}")
    except RuntimeError:
        raise OSError(
            f"cannot listen on {flags.host}:{flags.port}: in use by another process, or not an address of this "
            "machine; choose another --port or --host"
        ) from None
    if flags.grpc_socket_path:
        try:
            server.add_insecure_port(f"unix:{flags.grpc_socket_path}")
        except RuntimeError:
            raise OSError(
                f"cannot listen on the unix socket {flags.grpc_socket_path}: its folder must exist and be "
                "writable, the path no longer than 107 bytes; choose another --grpc_socket_path"
            ) from None
    server.start()
    return server, port
