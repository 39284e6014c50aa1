"""When a request is sent again, with a clock that the tests set."""

import pytest

from segclient.api.retries import Attempts, Retries
from segclient.errors import GatewayError, SegclientError, Unreachable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def busy(retry_after_s: float | None) -> GatewayError:
    return GatewayError("busy", status=429, code="overloaded", retry_after_s=retry_after_s)


def give_up_after(clock: Clock, attempts: Attempts, error: SegclientError) -> float:
    """Seconds on the clock until ``error`` is raised."""
    try:
        while True:
            attempts.failed(error)
            clock.now += attempts.wait_s()
    except type(error):
        return clock.now


def test_retry_after_is_honoured(clock) -> None:
    attempts = Retries(30, clock).request()
    assert attempts.wait_s() == 0
    attempts.failed(busy(7))
    assert 7 <= attempts.wait_s() <= 7.25


def test_retry_after_delays_every_request(clock) -> None:
    retries = Retries(30, clock)
    retries.request().failed(busy(7))
    assert retries.request().wait_s() == 7


def test_patience_limits_the_retries(clock) -> None:
    assert 20 < give_up_after(clock, Retries(30, clock).request(), busy(2)) <= 30
    with pytest.raises(GatewayError):
        Retries(30, clock).request().failed(busy(31))
    with pytest.raises(GatewayError):
        Retries(0, clock).request().failed(busy(1))


def test_permanent_error_is_not_retried(clock) -> None:
    with pytest.raises(GatewayError):
        Retries(30, clock).request().failed(GatewayError("no", status=415, code="unsupported_image"))


def test_unreachable_gateway_is_retried_once_it_has_answered(clock) -> None:
    retries = Retries(30, clock)
    with pytest.raises(Unreachable):
        retries.request().failed(Unreachable("away"))
    retries.request().succeeded()
    assert give_up_after(clock, retries.request(), Unreachable("away")) > 20
