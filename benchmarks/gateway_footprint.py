"""The gateway's weight: seconds to import it, and resident memory after a hundred requests.

    .venv/bin/python benchmarks/gateway_footprint.py

A gateway process answers real HTTP requests, with serving behind it played by a gRPC server in this process that
replies as TensorFlow Serving does. Exits 1 when a bound is exceeded.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.wrappers_pb2 import Int64Value

from contract import ClassInfo, ModelCard, signatures
from gateway.protocol import serving_pb2 as pb

IMPORT_BOUND_S = 1.0
MEMORY_BOUND_MB = 150
IMPORTS = 5
REQUESTS = 100
START_TIMEOUT_S = 30
# Never through the proxy that http_proxy may name.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))

CARD = ModelCard(
    name="bench",
    architecture="none",
    input_height=480,
    input_width=640,
    classes=tuple(ClassInfo(i, f"class {i}", (10 * i, 255 - 10 * i, 128)) for i in range(19)),
)
VERSION = pb.ModelSpec(name=CARD.name, version=Int64Value(value=1))
DTYPES = {"uint8": pb.DT_UINT8, "float32": pb.DT_FLOAT, "string": pb.DT_STRING}


def shape(*sizes: int) -> pb.TensorShape:
    """A TensorShape of these sizes."""
    return pb.TensorShape(dim=[pb.TensorShape.Dim(size=size) for size in sizes])


def predict(request: pb.PredictRequest, _: Any) -> pb.PredictResponse:
    """The card, or a mask of 19 vertical stripes in int_val."""
    if request.model_spec.signature_name == "describe":
        output = pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape(1), string_val=[CARD.to_json().encode()])
        return pb.PredictResponse(model_spec=VERSION, outputs={"model_card": output})
    height, width = CARD.input_height, CARD.input_width
    stripes = np.tile(np.arange(width) * len(CARD.classes) // width, height)
    output = pb.Tensor(dtype=pb.DT_UINT8, tensor_shape=shape(1, height, width), int_val=stripes.tolist())
    return pb.PredictResponse(model_spec=VERSION, outputs={"mask": output})


def metadata(_: pb.GetModelMetadataRequest, __: Any) -> pb.GetModelMetadataResponse:
    """The contract's signatures."""
    found = pb.SignatureDefMap()
    for name, signature in signatures(CARD).items():
        for specs, infos in (
            (signature.inputs, found.signature_def[name].inputs),
            (signature.outputs, found.signature_def[name].outputs),
        ):
            for alias, spec in specs.items():
                sizes = (-1 if size is None else size for size in spec.shape)
                infos[alias].CopyFrom(pb.TensorInfo(dtype=DTYPES[spec.dtype], tensor_shape=shape(*sizes)))
    packed = AnyMessage(value=found.SerializeToString())
    return pb.GetModelMetadataResponse(model_spec=VERSION, metadata={"signature_def": packed})


def start_serving() -> tuple[grpc.Server, int]:
    """A server with the two calls a segmentation needs, and its port."""
    server = grpc.server(ThreadPoolExecutor(4))
    methods: dict[str, tuple[Any, Any]] = {
        "Predict": (predict, pb.PredictRequest),
        "GetModelMetadata": (metadata, pb.GetModelMetadataRequest),
    }
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(call, request.FromString, lambda reply: reply.SerializeToString())
        for name, (call, request) in methods.items()
    }
    service = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers)
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def import_seconds() -> float:
    """Seconds that ``import gateway.app`` takes in a fresh process."""
    script = "import time; t = time.perf_counter(); import gateway.app; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def resident_mb(pid: int) -> float:
    """MB resident in a process, from Linux's /proc."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def memory_after_requests() -> float:
    """MB resident in a gateway process after REQUESTS segmentations of a 1280x720 JPEG, all outputs in turn."""
    server, serving_port = start_serving()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"PORT": str(port), "SERVING_ADDRESS": f"127.0.0.1:{serving_port}", "MODELS": CARD.name}
    environment = os.environ | {f"GATEWAY_{name}": value for name, value in settings.items()}
    photo = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8), (0, 0), 5)
    body = cv2.imencode(".jpg", photo)[1].tobytes()
    gateway = subprocess.Popen(
        [sys.executable, "-m", "gateway"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_alive(url)
        for i in range(REQUESTS):
            output = ("mask", "color", "overlay", "json")[i % 4]
            request = urllib.request.Request(f"{url}/segment?output={output}", body, method="POST")  # noqa: S310
            with LOCAL.open(request) as reply:
                reply.read()
        return resident_mb(gateway.pid)
    finally:
        gateway.terminate()
        gateway.wait()
        server.stop(None)


def wait_until_alive(url: str) -> None:
    """Return once /livez answers; TimeoutError when it does not."""
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        try:
            LOCAL.open(f"{url}/livez").close()
        except urllib.error.URLError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"the gateway did not answer on {url} within {START_TIMEOUT_S} s")


def main() -> int:
    """Print both figures beside their bounds; 1 when one is exceeded."""
    import_seconds()  # the first one compiles bytecode
    seconds = statistics.median(import_seconds() for _ in range(IMPORTS))
    megabytes = memory_after_requests()
    print(f"import gateway.app             {seconds:6.2f} s    (bound {IMPORT_BOUND_S:.0f} s, median of {IMPORTS})")
    print(f"resident after {REQUESTS} requests    {megabytes:6.0f} MB   (bound {MEMORY_BOUND_MB} MB)")
    return int(seconds > IMPORT_BOUND_S or megabytes > MEMORY_BOUND_MB)


if __name__ == "__main__":
    sys.exit(main())
