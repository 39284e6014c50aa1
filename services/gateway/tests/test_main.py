"""``python -m gateway`` as a process."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | {f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}


def test_it_serves_until_it_is_told_to_stop(serving, jpeg, free_port):
    settings = environment(port=free_port, serving_address=serving.address, models="shapes", max_pixels=128 * 96)
    with subprocess.Popen(
        [sys.executable, "-m", "gateway"], env=settings, stderr=subprocess.PIPE, text=True
    ) as process:
        url = f"http://127.0.0.1:{free_port}"
        until = time.monotonic() + 15
        while True:
            try:
                assert httpx.get(f"{url}/livez").status_code == 200
                break
            except httpx.ConnectError:
                assert time.monotonic() < until
                time.sleep(0.05)
        assert httpx.post(f"{url}/segment", content=jpeg).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=15)
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in said


def test_a_bad_setting_is_one_sentence_and_status_2():
    done = subprocess.run(
        [sys.executable, "-m", "gateway"], env=environment(port="http"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("gateway: GATEWAY_PORT=http: ")
    assert done.stderr.count("\n") == 1


def test_help_names_every_variable():
    done = subprocess.run([sys.executable, "-m", "gateway", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for name in ("GATEWAY_PORT", "GATEWAY_SERVING_ADDRESS", "GATEWAY_MODELS_CONFIG"):
        assert name in done.stdout
