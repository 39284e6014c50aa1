"""engine.sh can be run twice, and explains when it cannot start an engine."""

import os
import platform
import signal
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).with_name("engine.sh")
# Programs in the places of those that are unpacked: an engine that runs and can make no image.
STAND_INS = {
    "dockerd": """
        while [[ $1 != --pidfile ]]; do shift; done
        trap 'kill $!; rm "$2"; exit' TERM
        sleep 60 & echo $$ >"$2"; wait
    """,
    "docker": "[[ $1 == info && -e $XDG_CACHE_HOME/segstack/engine/docker.pid ]] || [[ $1 == ps || $2 == prune ]]",
    "iptables": "",
    "mmdebstrap": "exit 1",
}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """Run it as the user nobody, who cannot read the checkout."""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-s", *words]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    with SCRIPT.open() as script:
        return subprocess.run(command, stdin=script, env=environment, cwd="/", capture_output=True, text=True)


def test_a_second_start_finds_the_first_ones_engine_and_images(engine: dict[str, str]) -> None:
    again = subprocess.run([SCRIPT, "start"], env=engine, capture_output=True, text=True, check=True)
    bases = {name: engine[name] for name in ("PYTHON_IMAGE", "CONVERTER_PYTHON_IMAGE", "SERVING_IMAGE")}
    assert all(f"{name}='{image}'" in again.stdout for name, image in bases.items()), again.stdout
    assert "making" not in again.stderr


def test_without_an_engine_only_root_can_start_one() -> None:
    if os.geteuid():
        pytest.skip("only root can become another user")
    refused = run("start", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        "engine: no Docker engine answers here, and only root can start one: start Docker, or run this as root\n"
    )


def test_unusable_engine_is_stopped_again(tmp_path: Path) -> None:
    if os.geteuid() or platform.freedesktop_os_release().get("VERSION_CODENAME") != "bookworm":
        pytest.skip("only root on Debian 12 can start an engine")
    home = tmp_path / "segstack/engine"
    (home / "config/cli-plugins").mkdir(parents=True)
    (home / "tools/usr/bin").mkdir(parents=True)
    for name, text in STAND_INS.items():
        program = home / "tools/usr/bin" / name
        program.write_text(f"#!/bin/bash\n{text}")
        program.chmod(0o755)
    nowhere = {"XDG_CACHE_HOME": str(tmp_path), "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    failed = subprocess.run([SCRIPT, "start"], env={**os.environ, **nowhere}, capture_output=True, text=True)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[0] == "engine: starting the engine"
    assert "stand-in for debian:bookworm-slim" in failed.stderr.splitlines()[-1]
    assert not (home / "docker.pid").exists()


def test_stale_process_id_of_an_engine_is_not_killed(tmp_path: Path) -> None:
    home = tmp_path / "segstack/engine"
    home.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as other:
        (home / "docker.pid").write_text(str(other.pid))
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        subprocess.run([SCRIPT, "stop"], env=environment, check=True, timeout=60)
        other.kill()
    assert other.returncode == -signal.SIGKILL, "and not SIGTERM's, from the script"


def test_unsupported_use_is_refused() -> None:
    refused = subprocess.run([SCRIPT, "pause"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "engine: expected start, stop or remove\n")
