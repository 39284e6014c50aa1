"""``python -m gateway`` as a process."""

import json
import os
import platform
import subprocess
import sys

import pytest

from gateway.access.keys import read_api_keys


def environment(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | {f"GATEWAY_{name.upper()}": str(value) for name, value in settings.items()}


def gateway(*arguments, stdin="", **settings):
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env=environment(**settings),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_gateway_serves_until_sigterm(run_gateway, jpeg):
    with run_gateway(max_pixels=128 * 96) as running:
        assert running.client.post("/segment", content=jpeg).status_code == 200
    assert running.process.returncode == 0
    assert "Traceback" not in running.stderr
    # Standard error is no terminal here, hence JSON.
    events = [json.loads(line) for line in running.stderr.splitlines()]
    assert "/segment" in [event.get("route") for event in events]


def test_invalid_setting_is_one_sentence_and_status_2():
    done = gateway(port="http")
    assert done.returncode == 2
    assert done.stderr.startswith("python -m gateway: GATEWAY_PORT=http: ")
    assert done.stderr.count("\n") == 1


def test_help_lists_the_environment_variables():
    done = gateway("--help")
    assert done.returncode == 0
    for name in ("GATEWAY_PORT", "GATEWAY_SERVING_ADDRESS", "GATEWAY_MODELS_CONFIG"):
        assert name in done.stdout


def test_new_key_prints_the_key_and_the_line_to_store(tmp_path):
    made = gateway("new-key", "fleet")
    key, line = made.stdout.strip(), made.stderr.splitlines()[-1]
    (tmp_path / "keys").write_text(line)
    assert read_api_keys(tmp_path / "keys")[0].name == "fleet"
    # The same line for an existing key, read from standard input: other users can see a process's arguments.
    assert gateway("hash-key", "fleet", stdin=f"{key}\n").stdout.strip() == line


@pytest.mark.parametrize(
    ("arguments", "settings", "match"),
    [
        (["hash-key", "fleet"], {}, "too short to be random"),
        (["new-key", "a:b"], {}, "letters, digits"),
        ([], {"api_keys_file": "/nowhere/keys"}, "/nowhere/keys cannot be read"),
        ([], {"tls_certificate": "/nowhere/a.pem", "tls_key": "/nowhere/a.key"}, "`segstack gateway cert`"),
    ],
)
def test_user_error_is_one_sentence_and_status_2(arguments, settings, match):
    done = gateway(*arguments, stdin="password\n", **settings)
    assert done.returncode == 2
    assert match in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_cert_does_not_overwrite_certificates(tmp_path):
    folder = tmp_path / "certs"
    made = gateway("cert", "--output", str(folder), "camera.local")
    assert made.returncode == 0
    assert "GATEWAY_TLS_CERTIFICATE" in made.stdout
    again = gateway("cert", "--output", str(folder), "camera.local")
    assert (again.returncode, again.stdout) == (2, "")
    assert "is not overwritten" in again.stderr


# What a request does: several buffers are allocated together, filled, and freed together.
REQUESTS = """
import resource, sys
import numpy as np
from gateway.__main__ import keep_buffers

if sys.argv[1] == "keep":
    keep_buffers()
def request():
    buffers = [np.ones(900_000 + 100_000 * n, np.uint8) for n in range(5)]
for _ in range(10):
    request()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    request()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap can be set")
def test_freed_buffers_keep_their_pages_for_the_next_request():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", REQUESTS, how], capture_output=True, check=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] < 100 < faults["leave"]
