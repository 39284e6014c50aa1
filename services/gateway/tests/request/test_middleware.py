"""The security headers of every reply, and CORS."""

import pytest

ORIGIN = "https://labels.example"


@pytest.mark.parametrize("path", ["/livez", "/models", "/no/such/page", "/static/app.js", "/openapi.json"])
def test_replies_carry_security_headers(client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_may_load_their_own_scripts_and_use_the_camera_only(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'; media-src 'self' blob:;" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "camera=(self), microphone=()" in headers["Permissions-Policy"]


def preflight(client, origin=ORIGIN):
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    return client.options("/segment", headers={"Origin": origin, **wanted})


def test_pages_of_other_origins_get_no_cors_headers(client, jpeg):
    assert preflight(client).status_code == 405
    reply = client.post("/segment", content=jpeg, headers={"Origin": ORIGIN})
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_cors_headers_are_sent_to_listed_origins(make_gateway, jpeg):
    client = make_gateway(cors_origins=f"https://other.example,{ORIGIN}")
    allowed = preflight(client)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Authorization" in allowed.headers["Access-Control-Allow-Headers"]
    reply = client.post("/segment", content=jpeg, headers={"Origin": ORIGIN})
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Server-Timing" in reply.headers["Access-Control-Expose-Headers"]

    other = "https://attacker.example"
    assert preflight(client, other).status_code == 400
    assert "Access-Control-Allow-Origin" not in client.get("/models", headers={"Origin": other}).headers
