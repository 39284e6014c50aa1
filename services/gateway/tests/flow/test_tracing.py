"""W3C trace context from the caller to serving, and spans to an OTLP collector."""

import builtins
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from starlette.datastructures import Headers

from gateway.flow import tracing

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.fixture
def metadata(serving):
    """gRPC metadata of the calls that reached serving, as one dictionary each."""
    calls = []
    serving.before_predict = lambda _, context: calls.append(dict(context.invocation_metadata()))
    return calls


def test_callers_trace_is_passed_on_to_serving(make_gateway, jpeg, metadata):
    client = make_gateway()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    client.post("/segment", content=jpeg, headers=headers)
    assert len(metadata) == 2  # the card, the mask
    for call in metadata:
        assert call["traceparent"] == f"00-{TRACE}-{PARENT}-01"
        assert call["tracestate"] == "vendor=1"


@pytest.mark.parametrize("sent", [None, "nonsense", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01"])
def test_request_without_a_valid_trace_begins_one(make_gateway, jpeg, metadata, sent):
    client = make_gateway()
    for _ in range(2):
        client.post("/segment", content=jpeg, headers={"traceparent": sent} if sent else {})
    first, _, second = [call["traceparent"].split("-")[1] for call in metadata]
    assert first != second
    assert TRACE not in (first, second)


def test_there_is_no_trace_outside_a_request():
    assert tracing.trace_metadata() == ()
    with tracing.joined(Headers({"traceparent": f"00-{TRACE}-{PARENT}-01"})) as trace_id:
        assert trace_id == TRACE
    assert tracing.trace_metadata() == ()


@pytest.fixture
def collector():
    """An OTLP/HTTP receiver: its ``address``, and the ``spans`` it received with the name of their service."""
    trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

    class Collector(ThreadingHTTPServer):
        def __init__(self, *args):
            super().__init__(*args)
            self.spans = []

        @property
        def address(self):
            return f"http://127.0.0.1:{self.server_port}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sent = trace_service.ExportTraceServiceRequest.FromString(body)
            for resource in sent.resource_spans:
                names = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
                for scope in resource.scope_spans:
                    self.server.spans += [(names[0], span) for span in scope.spans]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with Collector(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_spans_of_a_request_and_its_stages_reach_a_collector(collector, run_gateway, jpeg, metadata, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with run_gateway(tracing=1) as running:
        running.client.post("/segment", content=jpeg, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        running.client.get("/livez")
    # The last spans are sent when the process ends.
    services, spans = zip(*collector.spans, strict=True)
    assert set(services) == {"segstack-gateway"}
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"POST /segment", "queue", "decode", "infer", "encode"}
    request = by_name["POST /segment"]
    assert request.parent_span_id.hex() == PARENT
    assert by_name["infer"].parent_span_id == request.span_id
    # Serving's work is a child of the stage that waits for it.
    assert metadata[-1]["traceparent"] == f"00-{TRACE}-{by_name['infer'].span_id.hex()}-01"


def test_missing_tracing_extra_names_what_to_install(monkeypatch):
    real_import = builtins.__import__

    def without_the_sdk(name, *args, **kwargs):
        if name.startswith("opentelemetry.sdk") or "exporter" in name:
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_the_sdk)
    with pytest.raises(tracing.TracingError, match=r"pip install 'segstack-gateway\[tracing\]'"):
        tracing.export_spans()
