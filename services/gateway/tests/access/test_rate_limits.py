"""Token buckets, one for each caller."""

import pytest

from gateway.access import rate_limits
from gateway.access.rate_limits import RateLimiter
from gateway.errors import RateLimited


@pytest.fixture
def clock():
    class Clock:
        now = 1000.0

        def __call__(self) -> float:
            return self.now

    return Clock()


@pytest.fixture
def limiter(clock):
    return RateLimiter(clock)


def allowed(limiter, caller, requests_per_s, attempts):
    """How many of ``attempts`` at once are allowed."""
    count = 0
    for _ in range(attempts):
        try:
            limiter.take(caller, requests_per_s)
            count += 1
        except RateLimited:
            pass
    return count


def test_burst_of_two_seconds_and_then_the_rate(limiter, clock):
    assert allowed(limiter, "fleet", 10, 100) == 20
    clock.now += 1
    assert allowed(limiter, "fleet", 10, 100) == 10
    clock.now += 3600
    assert allowed(limiter, "fleet", 10, 100) == 20


def test_rate_below_one_request_a_second(limiter, clock):
    assert allowed(limiter, "fleet", 0.1, 5) == 1
    with pytest.raises(RateLimited, match=r"fleet may send 0\.1 requests a second; try again in 10 s") as error:
        limiter.take("fleet", 0.1)
    assert error.value.retry_after_s == 10
    clock.now += 9.9
    assert allowed(limiter, "fleet", 0.1, 1) == 0
    clock.now += 0.1
    assert allowed(limiter, "fleet", 0.1, 1) == 1


def test_charge_after_a_request_delays_the_next(limiter, clock):
    limiter.take("labelling", 2)
    limiter.charge("labelling", 2, 9)
    with pytest.raises(RateLimited) as error:
        limiter.take("labelling", 2)
    assert error.value.retry_after_s == 4  # 4 tokens minus 10, and one more for the next
    clock.now += 3.5
    assert allowed(limiter, "labelling", 2, 5) == 1


def test_callers_have_separate_buckets(limiter):
    assert allowed(limiter, "fleet", 1, 5) == 2
    assert allowed(limiter, "labelling", 1, 5) == 2


def test_bounded_table_forgets_the_longest_idle_caller(limiter, monkeypatch):
    monkeypatch.setattr(rate_limits, "_MAX_CLIENTS", 3)
    for caller in "abca":
        limiter.take(caller, 1)
    limiter.take("d", 1)  # b is forgotten
    assert allowed(limiter, "a", 1, 5) == 0
    assert allowed(limiter, "b", 1, 5) == 2
    assert len(limiter._buckets) == 3


def test_wait_until_the_next_request(limiter, clock):
    assert limiter.wait_s("hall", 0.5) == 0
    limiter.take("hall", 0.5)
    assert limiter.wait_s("hall", 0.5) == 2
    clock.now += 1.5
    assert limiter.wait_s("hall", 0.5) == 0.5
    clock.now += 0.5
    assert limiter.wait_s("hall", 0.5) == 0
    limiter.take("hall", 0.5)
