"""What every reply carries, and what browsers are told about other sites."""

import pytest

ORIGIN = "https://labels.example"


@pytest.mark.parametrize("path", ["/livez", "/models", "/no/such/page", "/static/app.js", "/openapi.json"])
def test_replies_cannot_be_taken_for_something_else_or_framed(client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_may_use_their_own_scripts_and_the_camera_and_nothing_else(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'; media-src 'self' blob:;" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "camera=(self), microphone=()" in headers["Permissions-Policy"]


def preflight(client, origin=ORIGIN):
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    return client.options("/segment", headers={"Origin": origin, **wanted})


def test_pages_of_other_sites_are_told_nothing(client, jpeg):
    assert preflight(client).status_code == 405
    reply = client.post("/segment", content=jpeg, headers={"Origin": ORIGIN})
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_unless_their_origin_is_listed(make_gateway, jpeg):
    client = make_gateway(cors_origins=f"https://other.example,{ORIGIN}")
    allowed = preflight(client)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    reply = client.post("/segment", content=jpeg, headers={"Origin": ORIGIN})
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Server-Timing" in reply.headers["Access-Control-Expose-Headers"]

    stranger = "https://attacker.example"
    assert preflight(client, stranger).status_code == 400
    assert "Access-Control-Allow-Origin" not in client.get("/models", headers={"Origin": stranger}).headers
