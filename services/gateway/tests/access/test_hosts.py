"""Host names: a page from elsewhere cannot make a browser talk to the gateway under the page's own name."""

import pytest

from gateway.access.hosts import host_check
from gateway.errors import ForbiddenHost
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
def test_loopback_without_keys_answers_to_loopback_names(header):
    host_check(Settings())(header)


@pytest.mark.parametrize("header", OTHERS)
def test_and_to_no_other(header):
    with pytest.raises(ForbiddenHost, match="GATEWAY_ALLOWED_HOSTS"):
        host_check(Settings())(header)


def test_names_can_be_listed():
    check = host_check(Settings(allowed_hosts="gateway, Camera.Local"))
    check("gateway:8000")
    check("camera.local")
    with pytest.raises(ForbiddenHost):
        check("localhost")


def test_where_keys_are_needed_or_everyone_is_meant_any_name_will_do(tmp_path):
    assert host_check(Settings(api_keys_file=tmp_path)) is None
    assert host_check(Settings(host="0.0.0.0", allow_anonymous=True)) is None


def test_a_rebound_name_gets_a_403_and_nothing_else(client, jpeg, serving):
    reply = client.post("/segment", content=jpeg, headers={"Host": "attacker.example"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "forbidden_host")
    assert serving.predictions == []


def test_probes_may_ask_by_any_name(client):
    for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 403), ("/models", 403)):
        assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == status, path
