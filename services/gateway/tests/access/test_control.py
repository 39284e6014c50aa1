"""Who is let in: by key, at what rate, to what."""

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
def test_a_key_in_either_header(make_gateway, keys_file, key, jpeg, header):
    client = make_gateway(api_keys_file=keys_file)
    value = f"Bearer {key}" if header == "Authorization" else key
    assert client.post("/segment", content=jpeg, headers={header: value}).status_code == 200

    missing = client.post("/segment", content=jpeg)
    assert (missing.status_code, code(missing)) == (401, "unauthorized")
    assert missing.headers["WWW-Authenticate"] == "Bearer"
    wrong = client.post("/segment", content=jpeg, headers={header: value[:-1]})
    assert (wrong.status_code, code(wrong)) == (403, "forbidden")
    assert key not in wrong.text


def test_all_but_what_is_meant_to_be_open_needs_a_key(make_gateway, keys_file, key):
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


def test_a_key_that_is_taken_away_is_refused_from_then_on(make_gateway, keys_file, key):
    client = make_gateway(api_keys_file=keys_file)
    client.headers["X-API-Key"] = key
    assert client.get("/models").status_code == 200
    keys_file.write_text("")
    assert client.get("/models").status_code == 403


def test_without_keys_openapi_does_not_speak_of_them(client):
    document = client.get("/openapi.json").json()
    assert "securitySchemes" not in document["components"]
    assert "401" not in document["paths"]["/models"]["get"]["responses"]


def test_a_key_has_its_own_rate_and_others_the_settings(make_gateway, keys_file, key, jpeg):
    client = make_gateway(api_keys_file=keys_file, requests_per_s=50)

    def statuses(api_key, attempts):
        headers = {"X-API-Key": api_key}
        return [client.post("/segment", content=jpeg, headers=headers).status_code for _ in range(attempts)]

    assert statuses("segstack_slow", 2) == [200, 429]
    assert statuses(key, 3) == [200, 200, 200]
    refused = client.post("/segment", content=jpeg, headers={"X-API-Key": "segstack_slow"})
    assert code(refused) == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    # What costs the model no time is not metered.
    assert client.get("/models", headers={"X-API-Key": "segstack_slow"}).status_code == 200


def test_a_batch_counts_as_many_requests_as_it_has_images(make_gateway, jpeg):
    client = make_gateway(requests_per_s=0.01)
    sent = [("image", (f"{number}.jpg", jpeg)) for number in range(5)]
    assert client.post("/segment/batch", files=sent).status_code == 200
    refused = client.post("/segment", content=jpeg)
    assert code(refused) == "rate_limited"
    assert 400 < int(refused.headers["Retry-After"]) <= 500


def test_without_keys_each_address_has_a_rate(make_gateway, jpeg):
    client = make_gateway(requests_per_s=0.01, trusted_proxies="127.0.0.1")

    def status(address):
        return client.post("/segment", content=jpeg, headers={"X-Forwarded-For": address}).status_code

    assert [status("192.0.2.1"), status("192.0.2.1"), status("192.0.2.2")] == [200, 429, 200]
    # A home has 2^64 IPv6 addresses.
    assert [status("2001:db8::1"), status("2001:db8::2"), status("2001:db8:0:1::1")] == [200, 429, 200]


def test_an_address_in_a_header_counts_only_from_a_trusted_proxy(make_gateway, jpeg):
    client = make_gateway(requests_per_s=0.01)
    replies = [
        client.post("/segment", content=jpeg, headers={"X-Forwarded-For": address}).status_code
        for address in ("192.0.2.1", "192.0.2.2")
    ]
    assert replies == [200, 429]


def test_a_keys_file_that_cannot_be_used_stops_the_start(tmp_path):
    with pytest.raises(ApiKeysError, match="cannot be read"):
        create_app(Settings(api_keys_file=tmp_path / "none"))
