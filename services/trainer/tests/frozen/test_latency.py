"""Wall-clock time of a call."""

import time

import pytest

from trainer.frozen import latency
from trainer.frozen.latency import latency_of


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by what the test's calls say they take, in seconds."""

    class Clock:
        now = 0.0

        def work(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(latency.time, "perf_counter", lambda: clock.now)
    return clock


def test_first_calls_do_not_count(clock):
    taken = iter([5.0, 5.0, 5.0] + [0.1] * 20)
    found = latency_of(lambda: clock.work(next(taken)))
    assert (found.calls, found.p50, found.p95) == (20, pytest.approx(100), pytest.approx(100))


def test_percentiles_are_of_single_calls(clock):
    taken = iter([0.0] * 3 + [0.1] * 18 + [0.9] * 2)
    found = latency_of(lambda: clock.work(next(taken)))
    assert found.p50 == pytest.approx(100)
    assert found.p95 == pytest.approx(900)


def test_fast_call_is_measured_for_a_second_and_slow_one_for_a_limited_time(clock):
    assert latency_of(lambda: clock.work(0.01)).calls == pytest.approx(100, abs=1)
    assert latency_of(lambda: clock.work(10.0)).calls == 3


def test_latency_is_wall_clock_time():
    """A call that waits takes no CPU time."""
    assert latency_of(lambda: time.sleep(0.06)).p50 >= 60
