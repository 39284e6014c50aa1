"""engine.sh: safe to run twice, and clear where it cannot help."""

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).with_name("engine.sh")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """As the user nobody, who cannot even read the script where it lies."""
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
        pytest.skip("only root can be somebody else")
    refused = run("start", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        "engine: no Docker engine answers here, and only root can start one: start Docker, or run this as root\n"
    )


def test_what_it_cannot_do_is_said() -> None:
    refused = subprocess.run([SCRIPT, "pause"], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr) == (1, "engine: expected start, stop or remove\n")
