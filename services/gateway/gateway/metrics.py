"""What Prometheus sees. Labels are route templates and stages, never what a caller can make up."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from gateway.admission import Admission

# Seconds; around what one image takes, 5 ms to read a header and refuse up to the default deadline.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The gateway's own registry, so that two applications in one process do not meet in a global one."""

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self.requests = Counter(
            "segstack_gateway_requests",
            "HTTP requests answered",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self.request_seconds = Histogram(
            "segstack_gateway_request_seconds",
            "From the request's first byte to the reply's last",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.stage_seconds = Histogram(
            "segstack_gateway_stage_seconds",
            "What a segmentation spends where: decode, queue, infer, encode",
            ["stage"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        in_flight = Gauge("segstack_gateway_in_flight", "Segmentations being worked on", registry=self._registry)
        in_flight.set_function(lambda: admission.in_flight)
        entered = Gauge(
            "segstack_gateway_entered", "Segmentations being sent, waiting or worked on", registry=self._registry
        )
        entered.set_function(lambda: admission.entered)

    def exposition(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._registry)
