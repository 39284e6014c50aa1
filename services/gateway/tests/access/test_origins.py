"""Whose pages may open a stream."""

import pytest
from starlette.datastructures import Headers

from gateway.access.hosts import check_origin
from gateway.errors import ForbiddenOrigin


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "localhost:8000"),
        ("http://localhost:8000", "localhost:8000"),
        ("https://camera.example", "camera.example"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://app.example", "camera.example"),
    ],
)
def test_its_own_the_allowed_and_programs(origin, host):
    check_origin(Headers({"host": host} | ({"origin": origin} if origin else {})), ["https://app.example"])


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://[", "http://localhost:9000", "https://app.example:1"]
)
def test_nobody_else(origin):
    with pytest.raises(ForbiddenOrigin, match="GATEWAY_CORS_ORIGINS"):
        check_origin(Headers({"host": "localhost:8000", "origin": origin}), ["https://app.example"])
