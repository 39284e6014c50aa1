"""W3C trace context: from the client's headers, through the gateway, into serving's gRPC metadata.

The context is passed on whether or not the gateway records spans. With GATEWAY_TRACING=1 and the extra `tracing` it
does: a span for each request (FastAPI's) and one for each of its stages go to an OTLP collector.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers

_W3C = TraceContextTextMapPropagator()

# ``with span(name)``: a span around the block, where spans are recorded. An exception is marked on the request's span.
span = partial(trace.get_tracer("gateway").start_as_current_span, record_exception=False, set_status_on_exception=False)


class TracingError(RuntimeError):
    """Tracing is switched on but not available; the message says what to do."""


def export_spans() -> None:
    """Send this process's spans as ``OTEL_EXPORTER_OTLP_ENDPOINT`` and the other ``OTEL_…`` variables configure.

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
    trace.set_tracer_provider(provider)  # its exit hook sends the remaining spans


@contextmanager
def joined(headers: Headers) -> Iterator[str]:
    """Run the block in the client's trace, or in a new one if the client sent none; gives its id, 32 hex digits.

    Where spans are recorded, FastAPI has joined the trace already.
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
    """gRPC metadata that puts a call into the current trace: ``traceparent`` and ``tracestate``, if any."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return tuple(carrier.items())
