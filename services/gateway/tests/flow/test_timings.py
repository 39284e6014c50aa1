"""The stages of a request and the Server-Timing header."""

import pytest

from gateway.flow import timings as module
from gateway.flow.timings import Timings


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


def test_stages_add_up_and_exclude_stages_within_them(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    timings = Timings()
    with timings.measure("infer"):
        clock.now += 2
        with timings.measure("decode"):
            clock.now += 5
        clock.now += 3
    with timings.measure("decode"):
        clock.now += 7
    assert timings.seconds == pytest.approx({"infer": 5, "decode": 12, "queue": 0, "encode": 0})


def test_server_timing_header_has_every_stage_in_milliseconds():
    timings = Timings()
    timings.seconds["infer"] = 0.0315
    assert timings.server_timing() == "decode;dur=0.00, queue;dur=0.00, infer;dur=31.50, encode;dur=0.00"
