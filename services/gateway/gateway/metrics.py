"""The gateway's Prometheus metrics. Labels are route templates, models, classes and codes, never free text."""

from collections.abc import Iterator

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    Summary,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from contract import __version__
from gateway.flow.admission import Admission
from gateway.flow.timings import Timings
from gateway.imaging.masks import Mask
from gateway.rollout.agreement import Agreements
from gateway.serving_client.replies import ServedModel

# Seconds: from 5 ms, a refusal by an image's header, up to the default deadline.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """In a separate registry, so that two applications in one process do not share a global one."""

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        build = Info("segstack_gateway_build", "The gateway's version", registry=self._registry)
        build.info({"version": __version__})
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
        self.errors = Counter(
            "segstack_gateway_errors",
            "Requests and images in batches refused or failed, by code; client_gone: the client had disconnected",
            ["code"],
            registry=self._registry,
        )
        self._images = Counter(
            "segstack_gateway_images",
            "Images segmented, by model and version",
            ["model", "version"],
            registry=self._registry,
        )
        self._stage_seconds = Histogram(
            "segstack_gateway_stage_seconds",
            "Seconds of a segmentation by stage: decode, queue, infer, encode",
            ["model", "stage"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        # Sum and count rather than the last image's value: they give the mean over any window, for one camera or fifty.
        self._class_area = Summary(
            "segstack_gateway_class_area_ratio",
            "Fraction of the image that a class covers, 0 to 1; drift shows here, not in errors",
            ["model", "class"],
            registry=self._registry,
        )
        self.connections = Gauge(
            "segstack_gateway_connections", "Connections open, idle ones included", registry=self._registry
        )
        self._shadow_images = Counter(
            "segstack_gateway_shadow_images",
            "Images chosen for the shadow: compared, dropped because no slot was free, failed",
            ["outcome"],
            registry=self._registry,
        )
        self.canary_absent = Counter(
            "segstack_gateway_canary_absent",
            "Images answered by the default model because the canary is not loaded or lacks what was requested",
            registry=self._registry,
        )
        self.streams = Gauge(
            "segstack_gateway_streams", "Streams open, excluding unauthenticated ones", registry=self._registry
        )
        self.streams_closed = Counter(
            "segstack_gateway_streams_closed",
            "Streams that ended, by WebSocket close code; client: the client or the network ended it",
            ["code"],
            registry=self._registry,
        )
        self.frames_received = Counter(
            "segstack_gateway_frames_received", "Frames received over streams", registry=self._registry
        )
        self.frames = Counter(
            "segstack_gateway_frames",
            "Frames of streams by outcome: answered, failed, dropped",
            ["outcome"],
            registry=self._registry,
        )
        for outcome in ("answered", "failed", "dropped"):  # rates need a first value
            self.frames.labels(outcome)
        self.frame_seconds = Histogram(
            "segstack_gateway_frame_seconds",
            "From a frame's last byte to its reply's, for frames answered",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        in_flight = Gauge("segstack_gateway_in_flight", "Segmentations in work", registry=self._registry)
        in_flight.set_function(lambda: admission.in_flight)
        entered = Gauge(
            "segstack_gateway_entered", "Segmentations being received, waiting or in work", registry=self._registry
        )
        entered.set_function(lambda: admission.entered)

    def count_image(self, served: ServedModel, mask: Mask, timings: Timings) -> None:
        """Count one image that ``served`` segmented into ``mask``."""
        name = served.name
        self._images.labels(name, served.version).inc()
        for stage, seconds in timings.seconds.items():
            self._stage_seconds.labels(name, stage).observe(seconds)
        # Every fourth pixel of every fourth row: 30 µs, and areas accurate to a hundredth.
        sample = mask[::4, ::4]
        counts = np.bincount(sample.ravel(), minlength=256)
        for c in served.card.classes:
            self._class_area.labels(name, c.name).observe(counts[c.id] / sample.size)

    def count_shadow(self, outcome: str) -> None:
        """Count one image chosen for the shadow."""
        self._shadow_images.labels(outcome).inc()

    def watch(self, agreements: Agreements) -> None:
        """Add the agreement of two versions' masks over the last images."""
        self._registry.register(_AgreementCollector(agreements))

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)


class _AgreementCollector(Collector):
    def __init__(self, agreements: Agreements) -> None:
        self._agreements = agreements

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "segstack_gateway_agreement_ratio",
            "Agreement of the shadow's masks with the answers over the last images, 0 to 1: miou, pixels",
            labels=["measure", "model", "version", "shadow_model", "shadow_version"],
        )
        for pair in self._agreements:
            versions = [pair.first.name, str(pair.first.version), pair.second.name, str(pair.second.version)]
            window = pair.window
            for measure, ratio in (("miou", window.miou), ("pixels", window.pixel_agreement)):
                if ratio is not None:
                    family.add_metric([measure, *versions], ratio)
        yield family
