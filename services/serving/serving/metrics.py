"""The server's metrics: TensorFlow Serving's under its own names, and two of ours.

Names, labels and units are those of TensorFlow Serving 2.6.2 (``servables/tensorflow/util.cc``, the warm-up's and
TensorFlow's SavedModel loader). As there, one process is one registry.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from serving import memory
from serving.errors import from_exception
from serving.prometheus import Counter, Histogram, gauge_lines

REQUEST_COUNT = Counter(
    ":tensorflow:serving:request_count", "Predict requests, by the code of their answer.", "model_name status"
)
REQUEST_LATENCY = Histogram(
    ":tensorflow:serving:request_latency",
    "Microseconds from a Predict request's arrival to its reply, where that was OK.",
    "model_name API entrypoint",
)
LOAD_ATTEMPT_COUNT = Counter(
    ":tensorflow:cc:saved_model:load_attempt_count", "Loads of SavedModels, by their outcome.", "model_path status"
)
LOAD_LATENCY = Counter(
    ":tensorflow:cc:saved_model:load_latency", "Microseconds that loading SavedModels took.", "model_path"
)
WARMUP_LATENCY = Histogram(
    ":tensorflow:serving:model_warmup_latency", "Microseconds that a warm-up took.", "model_path status"
)
_METRICS = (REQUEST_COUNT, REQUEST_LATENCY, LOAD_ATTEMPT_COUNT, LOAD_LATENCY, WARMUP_LATENCY)


@contextmanager
def load_of(path: Path) -> Iterator[None]:
    """Count the block as one load of the SavedModel at ``path``."""
    started = time.perf_counter()
    try:
        yield
    except Exception:
        LOAD_ATTEMPT_COUNT.add(str(path), "fail")
        raise
    LOAD_ATTEMPT_COUNT.add(str(path), "success")
    LOAD_LATENCY.add(str(path), amount=_microseconds_since(started))


@contextmanager
def warmup_of(path: Path) -> Iterator[None]:
    """Time the block as the warm-up of the SavedModel at ``path``."""
    started = time.perf_counter()
    try:
        yield
    except Exception as error:
        WARMUP_LATENCY.observe(str(path), from_exception(error).code.name, microseconds=_microseconds_since(started))
        raise
    WARMUP_LATENCY.observe(str(path), "OK", microseconds=_microseconds_since(started))


@contextmanager
def predict_request(name: str, is_known: Callable[[str], bool]) -> Iterator[None]:
    """Count and time the block as one Predict request over gRPC for the model ``name``.

    Requests for models that are not known count under the empty name: names come from clients, and every name ever
    sent would stay in memory and in the page. TensorFlow Serving keeps them.
    """
    started = time.perf_counter()
    status = "OK"
    try:
        yield
        REQUEST_LATENCY.observe(name, "Predict", "GRPC", microseconds=_microseconds_since(started))
    except Exception as error:
        status = from_exception(error).code.name
        raise
    finally:
        REQUEST_COUNT.add(name if is_known(name) else "", status)


def page(version_states: Mapping[tuple[str, ...], int]) -> str:
    """Every metric in Prometheus's text format; ``version_states`` counts versions by model and state."""
    lines = [line for metric in _METRICS for line in metric.lines()]
    lines += gauge_lines(
        ":segstack:serving:model_versions", "Versions ever seen, by their state.", "model_name state", version_states
    )
    resident = memory.resident_bytes()
    if resident is not None:
        lines += gauge_lines("process_resident_memory_bytes", "Resident memory size in bytes.", "", {(): resident})
    return "\n".join(lines) + "\n"


def _microseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1e6)
