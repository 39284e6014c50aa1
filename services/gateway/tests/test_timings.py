"""Stages and the Server-Timing header."""

import time

import pytest

from gateway.timings import Timings


def test_stages_add_up_and_a_stage_within_another_is_its_own():
    timings = Timings()
    with timings.measure("infer"):
        time.sleep(0.02)
        with timings.measure("decode"):
            time.sleep(0.05)
        time.sleep(0.02)
    with timings.measure("decode"):
        time.sleep(0.05)
    assert timings.seconds["infer"] == pytest.approx(0.04, abs=0.02)
    assert timings.seconds["decode"] == pytest.approx(0.1, abs=0.03)
    assert timings.seconds["queue"] == 0


def test_the_header_names_every_stage_in_milliseconds():
    timings = Timings()
    timings.seconds["infer"] = 0.0315
    assert timings.server_timing() == "decode;dur=0.00, queue;dur=0.00, infer;dur=31.50, encode;dur=0.00"
