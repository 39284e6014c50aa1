"""W3C trace context: from the caller's headers, through the gateway, into serving's gRPC metadata.

The context is passed on whether or not the gateway itself records anything. With GATEWAY_TRACING=1 and the extra
`tracing` it does: a span for each request (FastAPI's own) and one for each of its stages go to an OTLP collector.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers

_W3C = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("gateway")


class TracingError(RuntimeError):
    """Tracing is asked for and cannot be had; the message says what to do."""


def export_spans() -> None:
    """Send this process's spans where ``OTEL_EXPORTER_OTLP_ENDPOINT`` (and the other ``OTEL_…`` variables) say.

    Raises:
        TracingError: the extra is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise TracingError(
            "GATEWAY_TRACING is set, but OpenTelemetry's SDK is not installed; "
            "pip install 'segstack-gateway[tracing]', or leave GATEWAY_TRACING unset"
        ) from None
    named = Resource({SERVICE_NAME: "segstack-gateway"}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=named)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)  # its exit hook sends what is left


@contextmanager
def joined(headers: Headers) -> Iterator[str]:
    """Within the block the trace is the caller's, or a new one where the caller sent none; gives its id, 32 hex digits.

    Where spans are recorded FastAPI has joined the trace already.
    """
    current = trace.get_current_span().get_span_context()
    if current.is_valid:
        yield trace.format_trace_id(current.trace_id)
        return
    extracted = _W3C.extract(headers, Context())
    current = trace.get_current_span(extracted).get_span_context()
    if not current.is_valid:
        current = trace.SpanContext(random.getrandbits(128), random.getrandbits(64), is_remote=False)
        extracted = trace.set_span_in_context(trace.NonRecordingSpan(current), extracted)
    token = context.attach(extracted)
    try:
        yield trace.format_trace_id(current.trace_id)
    finally:
        context.detach(token)


def trace_metadata() -> tuple[tuple[str, str], ...]:
    """gRPC metadata that joins a call to the request it is made for: ``traceparent`` and ``tracestate``, if any."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return tuple(carrier.items())


@contextmanager
def span(name: str) -> Iterator[None]:
    """A span around the block, where spans are recorded; a fault in the block is not marked here but in the request."""
    with _tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False):
        yield
