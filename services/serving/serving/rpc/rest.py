"""The REST port: model status and Prometheus metrics. Requests for predictions are referred to gRPC.

URLs, JSON and error texts are those of TensorFlow Serving 2.6.2 (``model_servers/http_rest_api_handler.cc``).
"""

import json
import re
import socketserver
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_status_pb2

from serving import metrics, prometheus
from serving.errors import ServingError, invalid_argument, truncated
from serving.models.manager import Manager
from serving.rpc.model_service import model_status

_MODEL = r"(?i)/v1/models(?:/(?P<name>[^/:]+))?(?:/versions/(?P<version>\d+)|/labels/[^/:]+)?"
_STATUS = re.compile(_MODEL)
_METADATA = re.compile(_MODEL + "/metadata")
_PREDICTION = re.compile(_MODEL + ":(?:predict|classify|regress)")

_INT64_MAX = 2**63 - 1
_CHUNK_BYTES = 1 << 16

# TensorFlow Serving's mapping of the codes that a status call can return.
_HTTP_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
}


class RestServer(ThreadingHTTPServer):
    """Answers on ``host``:``port`` from now on, in its own threads; metrics at ``metrics_path``, if any.

    Raises:
        OSError: the port is in use, or the host is not an address of this machine; the message says what to do.
    """

    # server_close() then waits for running calls; the handler's timeout limits how long they can take.
    daemon_threads = False

    def __init__(self, host: str, port: int, manager: Manager, metrics_path: str | None) -> None:
        self.manager = manager
        self.metrics_path = metrics_path
        try:
            super().__init__((host, port), _Handler)
        except OSError as error:
            raise OSError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another --rest_api_port or --host"
            ) from None
        self._thread = threading.Thread(target=self.serve_forever, name="rest")
        self._thread.start()

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's full name, which can take seconds and is not needed."""
        socketserver.TCPServer.server_bind(self)

    def close(self) -> None:
        """Accept no more calls, and return when the running ones have been answered."""
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: RestServer
    timeout = 3.0  # seconds that a client may block a thread

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == self.server.metrics_path:
            self._reply(HTTPStatus.OK, metrics.page(self.server.manager.version_states()), prometheus.CONTENT_TYPE)
        elif requested := _STATUS.fullmatch(path):
            self._reply_status(requested["name"], requested["version"])
        elif _METADATA.fullmatch(path):
            self._reply_error(HTTPStatus.NOT_IMPLEMENTED, "Metadata is not served here: use GetModelMetadata over gRPC")
        else:
            self._reply_unknown(path)

    def do_POST(self) -> None:
        # A reply sent before the whole request has been read may not reach the client.
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (chunk := self.rfile.read(min(left, _CHUNK_BYTES))):
            left -= len(chunk)
        path = urlsplit(self.path).path
        if _PREDICTION.fullmatch(path):
            self._reply_error(HTTPStatus.NOT_IMPLEMENTED, "Predictions are not served here: use Predict over gRPC")
        else:
            self._reply_unknown(path)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: Prometheus's requests would fill the log."""

    def _reply_status(self, name: str | None, version: str | None) -> None:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = unquote(name or "")
        try:
            if not name:
                raise invalid_argument("Missing model name in request.")
            if version is not None:
                if int(version) > _INT64_MAX:
                    raise invalid_argument(f"Failed to convert version: {version} to numeric.")
                request.model_spec.version.value = int(version)
            # As in TensorFlow Serving, a label is ignored and every version is listed.
            response = model_status(self.server.manager, request)
        except ServingError as error:
            self._reply_error(_HTTP_STATUSES[error.code], truncated(error.message))
            return
        text = json_format.MessageToJson(
            response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=1
        )
        self._reply(HTTPStatus.OK, text + "\n", "application/json")

    def _reply_unknown(self, path: str) -> None:
        if path.lower().startswith("/v1/"):
            self._reply_error(HTTPStatus.BAD_REQUEST, f"Malformed request: {self.command} {path}")
            return
        metrics_path = f" and {self.server.metrics_path}" if self.server.metrics_path else ""
        self._reply_error(
            HTTPStatus.NOT_FOUND,
            f"There is no {path} here: only /v1/models/NAME{metrics_path}. Predictions are served over gRPC",
        )

    def _reply_error(self, status: HTTPStatus, message: str) -> None:
        self._reply(status, json.dumps({"error": message}, indent=4) + "\n", "application/json")

    def _reply(self, status: HTTPStatus, text: str, content_type: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
