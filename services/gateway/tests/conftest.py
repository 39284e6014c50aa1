"""A serving stand-in that speaks TensorFlow Serving's protocol over real gRPC, and a gateway in front of it."""

import dataclasses
import io
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import Int64Value
from PIL import Image

from contract import SCORES, ClassInfo, Metrics, ModelCard, Signature, signatures
from contract.wire import varint
from gateway.flow.codecs import CodecPool
from gateway.serving_client.protocol import serving_pb2 as pb
from gateway.settings import Settings
from gateway.transport.certificates import make_certificates
from gateway.transport.server import server

CARD = ModelCard(
    name="shapes",
    architecture="ddrnet23_slim",
    input_height=48,
    input_width=64,
    classes=(
        ClassInfo(0, "background", (0, 0, 0)),
        ClassInfo(1, "car", (220, 60, 60)),
        ClassInfo(2, "tree", (60, 180, 90)),
        ClassInfo(3, "fußgänger", (70, 90, 230)),
    ),
    metrics=Metrics(
        miou=0.9,
        per_class_iou={"background": 0.99, "car": 0.8, "tree": 0.91, "fußgänger": None},
        split="test",
        images=7,
    ),
    parameters=1000,
)

_DTYPES = {"uint8": pb.DT_UINT8, "string": pb.DT_STRING, "float32": pb.DT_FLOAT, "int64": pb.DT_INT64}
_FIELDS = {"uint8": "int_val", "int64": "int64_val"}


def to_tensor(values: np.ndarray) -> Any:
    """As TensorFlow Serving answers: in the field of the type."""
    name = values.dtype.name
    tensor = pb.Tensor(dtype=_DTYPES[name], tensor_shape={"dim": [{"size": size} for size in values.shape]})
    if name == "float32":
        tensor.float_val.extend(values.reshape(-1).tolist())
    elif name == "uint8" and values.max(initial=0) < 0x80:  # each its own varint
        tensor.int_val = values.tobytes()
    else:
        setattr(tensor, _FIELDS[name], b"".join(map(varint, values.reshape(-1).tolist())))
    return tensor


def threshold(image: np.ndarray) -> np.ndarray:
    """The stand-in's network: class 1 where red leads, 2 where green does, 3 where blue does, 0 where dark."""
    return np.where(image.max(2) < 100, 0, image.argmax(2) + 1).astype(np.uint8)


class FakeServing:
    """Models and versions by name; tests script faults: ``before_predict`` may abort, ``change_…`` spoil a reply."""

    def __init__(self) -> None:
        self.cards: dict[str, dict[int, ModelCard]] = defaultdict(dict)
        self.foreign: dict[str, tuple[Signature, Callable[[np.ndarray], np.ndarray]]] = {}
        self.labels: dict[tuple[str, str], int] = {}
        self.states: dict[tuple[str, int], tuple[int, str]] = {}
        self.network: Callable[[np.ndarray], np.ndarray] = threshold
        self.networks: dict[tuple[str, int], Callable[[np.ndarray], np.ndarray]] = {}
        self.before_predict: Callable[[Any, grpc.ServicerContext], None] = lambda request, context: None
        self.change_mask: Callable[[Any], None] = lambda reply: None
        self.change_card: Callable[[Any], None] = lambda reply: None
        self.change_metadata: Callable[[Any], None] = lambda reply: None
        self.serialize: Callable[[Any], bytes] = lambda reply: reply.SerializeToString()
        self.checks_shapes = True
        self.predictions: list[Any] = []
        self.metadata_requests = 0
        self.port = 0
        self._server: grpc.Server | None = None
        self.publish("shapes", 1, CARD)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def publish_foreign(self, model: str, signature: Signature, answer: Callable[[np.ndarray], np.ndarray]) -> None:
        """A model that does not keep the contract: ``answer`` maps its one input to its one output."""
        self.cards[model][1] = CARD
        self.states[model, 1] = (pb.ModelVersionStatus.AVAILABLE, "")
        self.foreign[model] = (signature, answer)

    def publish(self, model: str, version: int, card: ModelCard = CARD, **changes: Any) -> None:
        self.cards[model][version] = dataclasses.replace(card, **changes)
        self.states[model, version] = (pb.ModelVersionStatus.AVAILABLE, "")

    def start(self) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
        )
        for service, methods in {
            "PredictionService": {
                "Predict": (self._predict, pb.PredictRequest),
                "GetModelMetadata": (self._metadata, pb.GetModelMetadataRequest),
            },
            "ModelService": {"GetModelStatus": (self._status, pb.GetModelStatusRequest)},
        }.items():
            handlers = {
                name: grpc.unary_unary_rpc_method_handler(
                    method, request.FromString, lambda reply: self.serialize(reply)
                )
                for name, (method, request) in methods.items()
            }
            generic = grpc.method_handlers_generic_handler(f"tensorflow.serving.{service}", handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self.port = self._server.add_insecure_port(self.address)
        self._server.start()

    def hang_up(self) -> None:
        """Ends every call without an answer, and takes no more, as a process that dies does."""
        assert self._server
        self._server.stop(None)

    def stop(self) -> None:
        if self._server:
            self._server.stop(None).wait()
            self._server = None

    def _resolve(self, spec: Any, context: grpc.ServicerContext) -> int:
        loaded = [
            version
            for version in self.cards.get(spec.name, {})
            if self.states[spec.name, version][0] == pb.ModelVersionStatus.AVAILABLE
        ]
        if spec.version_label and (spec.name, spec.version_label) not in self.labels:
            reason = f"Unrecognized servable version label: {spec.version_label}"
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        by_label = self.labels.get((spec.name, spec.version_label))
        wanted = spec.version.value if spec.HasField("version") else by_label or max(loaded, default=0)
        if wanted not in loaded:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {spec.name}")
        return wanted

    def _predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.predictions.append(request)
        self.before_predict(request, context)
        name = request.model_spec.name
        version = self._resolve(request.model_spec, context)
        card = self.cards[name][version]
        reply = pb.PredictResponse(model_spec=pb.ModelSpec(name=name, version=Int64Value(value=version)))
        if request.model_spec.signature_name == "describe":
            shape = request.inputs["query"].tensor_shape
            text = card.to_json().encode()
            reply.outputs["model_card"].CopyFrom(pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape, string_val=[text]))
            self.change_card(reply)
        elif name in self.foreign:
            signature, answer = self.foreign[name]
            (tensor,), (output,) = request.inputs.values(), signature.outputs
            sizes = [dim.size for dim in tensor.tensor_shape.dim]
            pixels = np.frombuffer(tensor.tensor_content, np.float32 if tensor.dtype == pb.DT_FLOAT else np.uint8)
            reply.outputs[output].CopyFrom(to_tensor(answer(pixels.reshape(sizes))))
        else:
            tensor = request.inputs["image"]
            sizes = [dim.size for dim in tensor.tensor_shape.dim]
            if self.checks_shapes and sizes[1:3] != [card.input_height, card.input_width]:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Incompatible shapes")
            network = self.networks.get((name, version), self.network)
            image = np.frombuffer(tensor.tensor_content, np.uint8).reshape(sizes[1:])
            reply.outputs["mask"].CopyFrom(to_tensor(network(image)[None]))
            if request.model_spec.signature_name == SCORES:
                reply.outputs["confidence"].CopyFrom(to_tensor(image.max(2)[None]))  # the brighter, the surer
            self.change_mask(reply)
        return reply

    def _metadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.metadata_requests += 1
        version = self._resolve(request.model_spec, context)
        found = pb.SignatureDefMap()
        model = request.model_spec.name
        foreign = {"serving_default": self.foreign[model][0]} if model in self.foreign else None
        for name, signature in (foreign or signatures(self.cards[model][version])).items():
            for ours, theirs in (
                (signature.inputs, found.signature_def[name].inputs),
                (signature.outputs, found.signature_def[name].outputs),
            ):
                for alias, spec in ours.items():
                    sizes = [-1 if size is None else size for size in spec.shape]
                    shape = pb.TensorShape(dim=[pb.TensorShape.Dim(size=size) for size in sizes])
                    theirs[alias].CopyFrom(pb.TensorInfo(name=alias, dtype=_DTYPES[spec.dtype], tensor_shape=shape))
        packed = AnyMessage(
            type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap", value=found.SerializeToString()
        )
        reply = pb.GetModelMetadataResponse(
            model_spec=pb.ModelSpec(name=request.model_spec.name, version=Int64Value(value=version)),
            metadata={"signature_def": packed},
        )
        self.change_metadata(reply)
        return reply

    def _status(self, request: Any, context: grpc.ServicerContext) -> Any:
        name = request.model_spec.name
        if not self.cards.get(name):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        return pb.GetModelStatusResponse(
            model_version_status=[
                pb.ModelVersionStatus(
                    version=version,
                    state=self.states[name, version][0],
                    status=pb.Status(error_message=self.states[name, version][1]),
                )
                for version in self.cards[name]
            ]
        )


@pytest.fixture
def card() -> ModelCard:
    return CARD


@pytest.fixture
def make_serving() -> Iterator[Callable[[], FakeServing]]:
    """Starts a server like ``serving``."""
    started: list[FakeServing] = []

    def make() -> FakeServing:
        fake = FakeServing()
        fake.start()
        started.append(fake)
        return fake

    yield make
    for fake in started:
        fake.stop()


@pytest.fixture
def serving(make_serving: Callable[[], FakeServing]) -> FakeServing:
    """Serving with model ``shapes``, version 1: class 1 where red leads, 2 green, 3 blue, 0 where dark."""
    return make_serving()


@pytest.fixture
def unused_address() -> Iterator[str]:
    """Where nobody listens: the port is taken, so that nobody else can begin to."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def codecs() -> Iterator[CodecPool]:
    pool = CodecPool(2)
    yield pool
    pool.close()


@pytest.fixture
def make_client(serving: FakeServing) -> Iterator[Callable[..., httpx.Client]]:
    """Starts a gateway with the given settings in front of ``serving`` and gives an HTTP client for it."""
    with ExitStack() as running:

        def make(verify: ssl.SSLContext | bool = True, **settings: Any) -> httpx.Client:
            values = {"serving_address": serving.address, "models": ("shapes",), "port": 0, "codec_threads": 2}
            return running.enter_context(_served(Settings(**{**values, **settings}), verify))

        yield make


@contextmanager
def _served(settings: Settings, verify: ssl.SSLContext | bool) -> Iterator[httpx.Client]:
    gateway = server(settings)
    thread = threading.Thread(target=gateway.run)
    thread.start()
    while not gateway.started:
        assert thread.is_alive()
        time.sleep(0.005)
    port = gateway.servers[0].sockets[0].getsockname()[1]
    scheme = "https" if settings.tls_certificate else "http"
    with httpx.Client(base_url=f"{scheme}://127.0.0.1:{port}", timeout=30, verify=verify) as client:
        yield client
    gateway.should_exit = True
    thread.join()


@pytest.fixture
def run_gateway(serving: FakeServing, wait_for: Callable[..., None]) -> Callable[..., Any]:
    """``with run_gateway(**settings) as running``: ``python -m gateway``, with ``client`` and ``process``.

    ``is_closed()`` says whether it takes no new connection. It is told to stop at the end of the block; from then on
    ``stderr`` is what it wrote.
    """

    @contextmanager
    def run(**settings: Any) -> Iterator[SimpleNamespace]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        values = {"port": port, "serving_address": serving.address, "models": "shapes", **settings}
        port = values["port"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        environment |= {f"GATEWAY_{name.upper()}": str(value) for name, value in values.items()}
        with (
            tempfile.TemporaryFile("w+") as log,  # not a pipe, which would be full after a while
            subprocess.Popen([sys.executable, "-m", "gateway"], env=environment, stderr=log) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client,
        ):
            wait_for(lambda: _answers(client))
            running = SimpleNamespace(client=client, process=process, is_closed=lambda: _is_closed(port), stderr="")
            try:
                yield running
            finally:
                process.terminate()
                process.wait(timeout=30)
                log.seek(0)
                running.stderr = log.read()

    return run


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.ConnectError:
        return False


def _is_closed(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False)
    except httpx.TransportError:
        return True
    return False


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder as ``make cert`` leaves it, for 127.0.0.1 and localhost."""
    make_certificates(tmp_path / "certs", ["127.0.0.1", "localhost"])
    return tmp_path / "certs"


@pytest.fixture
def client(make_client: Callable[..., httpx.Client]) -> httpx.Client:
    return make_client()


@pytest.fixture
def start() -> Iterator[Callable[..., Future]]:
    """``start(function, …)`` calls it in a thread and gives the future of its result."""
    with ThreadPoolExecutor(32) as threads:
        yield threads.submit


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    """``wait_for(condition)`` asks until it holds; half a minute without is a failure."""

    def wait(condition: Callable[[], bool]) -> None:
        until = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.005)

    return wait


@pytest.fixture(scope="session")
def metric() -> Callable[[httpx.Client, str], float]:
    """``metric(client, name)``: a sample without labels, as /metrics says it."""

    def value(client: httpx.Client, name: str) -> float:
        line = next(line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} "))
        return float(line.split()[-1])

    return value


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """uint8 [96,128,3]: a red, a green, a blue and a dark quarter, so that every turn and flip shows."""
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[:48, :64] = (200, 20, 20)
    pixels[:48, 64:] = (20, 200, 20)
    pixels[48:, :64] = (20, 20, 200)
    return pixels


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Encodes an array as Pillow does: ``encode(pixels, "JPEG", quality=95)``."""

    def to_bytes(pixels: np.ndarray, kind: str, **options: Any) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind, **options)
        return buffer.getvalue()

    return to_bytes


@pytest.fixture(scope="session")
def jpeg(photo: np.ndarray, encode: Callable[..., bytes]) -> bytes:
    return encode(photo, "JPEG", quality=95)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event for faults to wait on; set at the end, so that no server thread is left behind."""
    event = threading.Event()
    yield event
    event.set()
