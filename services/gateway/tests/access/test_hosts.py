"""Host names, against DNS rebinding, and the origins whose pages may open streams."""

import pytest
from starlette.datastructures import Headers

from gateway.access.hosts import check_origin, host_check
from gateway.errors import ForbiddenHost, ForbiddenOrigin
from gateway.settings import Settings

LOOPBACK = ["localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "localhost."]
OTHERS = [
    "attacker.example",
    "attacker.example:8000",
    "localhost.attacker.example",
    "192.0.2.1",
    "",
    "[::2]:8000",
    "0.0.0.0",
]


@pytest.mark.parametrize("header", LOOPBACK)
def test_loopback_without_keys_accepts_loopback_names(header):
    host_check(Settings())(header)


@pytest.mark.parametrize("header", OTHERS)
def test_loopback_without_keys_refuses_other_names(header):
    with pytest.raises(ForbiddenHost, match="GATEWAY_ALLOWED_HOSTS"):
        host_check(Settings())(header)


def test_allowed_hosts_replace_the_default():
    check = host_check(Settings(allowed_hosts="gateway, Camera.Local"))
    check("gateway:8000")
    check("camera.local")
    with pytest.raises(ForbiddenHost):
        check("localhost")


def test_any_name_is_accepted_with_keys_or_anonymous_access(tmp_path):
    assert host_check(Settings(api_keys_file=tmp_path)) is None
    assert host_check(Settings(host="0.0.0.0", allow_anonymous=True)) is None


def test_rebound_name_is_403(client, jpeg, serving):
    reply = client.post("/segment", content=jpeg, headers={"Host": "attacker.example"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "forbidden_host")
    assert serving.predictions == []


def test_probes_are_answered_under_any_name(client):
    for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 403), ("/models", 403)):
        assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == status, path


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
def test_own_allowed_and_absent_origins_are_accepted(origin, host):
    check_origin(Headers({"host": host} | ({"origin": origin} if origin else {})), ["https://app.example"])


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "http://[", "http://localhost:9000", "https://app.example:1"]
)
def test_other_origins_are_refused(origin):
    with pytest.raises(ForbiddenOrigin, match="GATEWAY_CORS_ORIGINS"):
        check_origin(Headers({"host": "localhost:8000", "origin": origin}), ["https://app.example"])
