"""``python -m gateway`` as a process."""

import json
import os
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


def test_it_serves_until_it_is_told_to_stop(run_gateway, jpeg):
    with run_gateway(max_pixels=128 * 96) as running:
        assert running.client.post("/segment", content=jpeg).status_code == 200
    assert running.process.returncode == 0
    assert "Traceback" not in running.stderr
    # Not a terminal, hence JSON.
    events = [json.loads(line) for line in running.stderr.splitlines()]
    assert "/segment" in [event.get("route") for event in events]


def test_a_bad_setting_is_one_sentence_and_status_2():
    done = gateway(port="http")
    assert done.returncode == 2
    assert done.stderr.startswith("gateway: GATEWAY_PORT=http: ")
    assert done.stderr.count("\n") == 1


def test_help_names_every_variable():
    done = gateway("--help")
    assert done.returncode == 0
    for name in ("GATEWAY_PORT", "GATEWAY_SERVING_ADDRESS", "GATEWAY_MODELS_CONFIG"):
        assert name in done.stdout


def test_a_new_key_is_printed_once_with_the_line_to_store(tmp_path):
    made = gateway("new-key", "fleet")
    key, line = made.stdout.strip(), made.stderr.splitlines()[-1]
    (tmp_path / "keys").write_text(line)
    assert read_api_keys(tmp_path / "keys")[0].name == "fleet"
    # The same line for a key that exists; it is read from standard input, for arguments are seen by everyone.
    assert gateway("hash-key", "fleet", stdin=f"{key}\n").stdout.strip() == line


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (["hash-key", "fleet"], {}, "too short to be random"),
        (["new-key", "a:b"], {}, "letters, digits"),
        ([], {"api_keys_file": "/nowhere/keys"}, "/nowhere/keys cannot be read"),
        ([], {"tls_certificate": "/nowhere/a.pem", "tls_key": "/nowhere/a.key"}, "`segstack gateway cert`"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_status_2(arguments, settings, says):
    done = gateway(*arguments, stdin="password\n", **settings)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_certificates_are_made_once(tmp_path):
    folder = tmp_path / "certs"
    made = gateway("cert", "--output", str(folder), "camera.local")
    assert made.returncode == 0
    assert "GATEWAY_TLS_CERTIFICATE" in made.stdout
    again = gateway("cert", "--output", str(folder), "camera.local")
    assert (again.returncode, again.stdout) == (2, "")
    assert "is not overwritten" in again.stderr
