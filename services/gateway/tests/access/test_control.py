"""Access by API key and rate limit, path by path."""

import pytest

from gateway.access.keys import ApiKeysError, line_of, new_key
from gateway.app import create_app
from gateway.settings import Settings

OPEN = {"/livez", "/readyz", "/", "/docs", "/openapi.json", "/static/app.js"}


@pytest.fixture
def key():
    return new_key()


@pytest.fixture
def keys_file(tmp_path, key):
    file = tmp_path / "api-keys"
    file.write_text(f"{line_of('fleet', key)}\n{line_of('slow', 'segstack_slow')}:0.5\n")
    return file


def code(reply):
    return reply.json()["error"]["code"]


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_key_is_accepted_in_either_header(make_gateway, keys_file, key, jpeg, header):
    client = make_gateway(api_keys_file=keys_file)
    value = f"Bearer {key}" if header == "Authorization" else key
    assert client.post("/segment", content=jpeg, headers={header: value}).status_code == 200

    missing = client.post("/segment", content=jpeg)
    assert (missing.status_code, code(missing)) == (401, "unauthorized")
    assert missing.headers["WWW-Authenticate"] == "Bearer"
    wrong = client.post("/segment", content=jpeg, headers={header: value[:-1]})
    assert (wrong.status_code, code(wrong)) == (403, "forbidden")
    assert key not in wrong.text


def test_every_path_but_the_open_ones_needs_a_key(make_gateway, keys_file):
    client = make_gateway(api_keys_file=keys_file)
    for path in OPEN:
        assert client.get(path).status_code == 200, path
    paths = client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            status = client.request(method, path).status_code
            assert (status == 401) is (path not in OPEN), f"{method} {path}"
            assert bool(operation.get("security")) is (path not in OPEN), f"{method} {path}"
            assert ({"401", "403"} <= set(operation["responses"])) is (path not in OPEN), f"{method} {path}"


def test_removed_key_is_refused_at_once(make_gateway, keys_file, key):
    client = make_gateway(api_keys_file=keys_file)
    client.headers["X-API-Key"] = key
    assert client.get("/models").status_code == 200
    keys_file.write_text("")
    assert client.get("/models").status_code == 403


def test_openapi_document_without_keys_has_no_security(client):
    document = client.get("/openapi.json").json()
    assert "securitySchemes" not in document["components"]
    assert "401" not in document["paths"]["/models"]["get"]["responses"]


def test_key_may_have_its_own_rate_limit(make_gateway, keys_file, key, jpeg):
    client = make_gateway(api_keys_file=keys_file, requests_per_s=50)

    def statuses(api_key, attempts):
        headers = {"X-API-Key": api_key}
        return [client.post("/segment", content=jpeg, headers=headers).status_code for _ in range(attempts)]

    assert statuses("segstack_slow", 2) == [200, 429]
    assert statuses(key, 3) == [200, 200, 200]
    refused = client.post("/segment", content=jpeg, headers={"X-API-Key": "segstack_slow"})
    assert code(refused) == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    # Requests that need no inference are not limited.
    assert client.get("/models", headers={"X-API-Key": "segstack_slow"}).status_code == 200


def test_batch_counts_as_one_request_for_each_image(make_gateway, jpeg):
    client = make_gateway(requests_per_s=0.01)
    sent = [("image", (f"{number}.jpg", jpeg)) for number in range(5)]
    assert client.post("/segment/batch", files=sent).status_code == 200
    refused = client.post("/segment", content=jpeg)
    assert code(refused) == "rate_limited"
    assert 400 < int(refused.headers["Retry-After"]) <= 500


def test_rate_limit_without_keys_is_for_each_address(make_gateway, jpeg):
    client = make_gateway(requests_per_s=0.01, trusted_proxies="127.0.0.1")

    def status(address):
        return client.post("/segment", content=jpeg, headers={"X-Forwarded-For": address}).status_code

    assert [status("192.0.2.1"), status("192.0.2.1"), status("192.0.2.2")] == [200, 429, 200]
    # A home has 2^64 IPv6 addresses.
    assert [status("2001:db8::1"), status("2001:db8::2"), status("2001:db8:0:1::1")] == [200, 429, 200]


def test_x_forwarded_for_counts_only_from_a_trusted_proxy(make_gateway, jpeg):
    client = make_gateway(requests_per_s=0.01)
    replies = [
        client.post("/segment", content=jpeg, headers={"X-Forwarded-For": address}).status_code
        for address in ("192.0.2.1", "192.0.2.2")
    ]
    assert replies == [200, 429]


def test_unreadable_keys_file_prevents_the_start(tmp_path):
    with pytest.raises(ApiKeysError, match="cannot be read"):
        create_app(Settings(api_keys_file=tmp_path / "none"))
