"""``python -m gateway.healthcheck``: the image's health check."""

import os
import subprocess
import sys

import pytest


def check(**environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    command = [sys.executable, "-m", "gateway.healthcheck"]
    return subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, check=False)


def port_of(client):
    return {"GATEWAY_PORT": str(client.base_url.port)}


# An http_proxy, which Docker passes on to containers, at which nothing listens.
@pytest.mark.parametrize("surroundings", [{}, {"http_proxy": "http://127.0.0.1:9"}], ids=["plain", "proxy"])
def test_live_gateway_is_healthy_without_serving(client, serving, surroundings):
    serving.stop()
    done = check(**port_of(client), **surroundings)
    assert (done.returncode, done.stdout) == (0, "/livez: 200\n")


def test_gateway_with_https_is_healthy(make_gateway, shared_certificates):
    tls = {"tls_certificate": shared_certificates / "gateway.pem", "tls_key": shared_certificates / "gateway.key"}
    client = make_gateway(verify=False, **tls)
    done = check(**port_of(client), GATEWAY_TLS_CERTIFICATE=str(tls["tls_certificate"]))
    assert (done.returncode, done.stdout) == (0, "/livez: 200\n"), done.stderr


def test_unreachable_gateway_is_unhealthy_with_the_reason(unused_address):
    port = unused_address.rpartition(":")[2]
    done = check(GATEWAY_PORT=port)
    assert done.returncode == 1
    assert done.stdout.startswith(f"port {port}: ")
    assert done.stderr == ""
