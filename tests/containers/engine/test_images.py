"""The contents of the images."""

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from contract import __version__

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

EVERY = ["serving", "gateway", "trainer", "converter"]
MEGABYTE = 1_000_000
GATEWAY_MEGABYTES = 400

every_image = pytest.mark.parametrize("service", EVERY)

# As Compose runs them, by a user whom no image knows; and nothing can be fetched.
LEAST = (
    "--rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --user 23456:23456 --network none"
)


@pytest.fixture(scope="session")
def inspect(engine: dict[str, str], images: dict[str, str]) -> Callable[[str], dict]:
    """``inspect("gateway")``: `docker image inspect` of a service's image, or of an image with that name."""

    def inspect(name: str) -> dict:
        command = ["docker", "image", "inspect", images.get(name, name)]
        return json.loads(subprocess.run(command, env=engine, capture_output=True, check=True).stdout)[0]

    return inspect


@pytest.fixture(scope="session")
def run(engine: dict[str, str], images: dict[str, str]) -> Callable[..., str]:
    """``run("gateway", "python", …)``: the output of a command in a new container of the service's image."""

    def run(service: str, entrypoint: str, *words: str) -> str:
        command = ["docker", "run", *LEAST.split(), "--entrypoint", entrypoint, images[service], *words]
        done = subprocess.run(command, env=engine, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


def python_of(service: str) -> str:
    return "python3.8" if service == "converter" else "python"


def test_the_gateways_image_is_small(inspect, engine: dict[str, str]) -> None:
    whole, base = (inspect(name)["Size"] / MEGABYTE for name in ("gateway", engine["PYTHON_IMAGE"]))
    print(f"the gateway's image: {whole:.0f} MB, of which its base {engine['PYTHON_IMAGE']} {base:.0f} MB")
    assert whole < GATEWAY_MEGABYTES


@every_image
def test_the_user_is_not_root(inspect, service: str) -> None:
    user, _, group = inspect(service)["Config"]["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0


@every_image
def test_image_labels(inspect, service: str) -> None:
    labels = inspect(service)["Config"]["Labels"]
    image = "org.opencontainers.image."
    assert labels[f"{image}title"].startswith("Segstack ")
    assert labels[f"{image}version"] == __version__
    assert labels[f"{image}licenses"] == "MIT"
    assert f"{image}source" in labels


@pytest.mark.parametrize("service", ["serving", "gateway"])
def test_serving_images_have_a_health_check(inspect, service: str) -> None:
    assert inspect(service)["Config"]["Healthcheck"]["Test"]


@every_image
def test_image_has_no_build_or_install_tools(run, service: str) -> None:
    look = (
        "import importlib.util, shutil; "
        "print([m for m in ('pip', 'uv') if importlib.util.find_spec(m)], "
        "[p for p in ('pip', 'pip3', 'uv', 'gcc', 'cc', 'make', 'git') if shutil.which(p)])"
    )
    assert run(service, python_of(service), "-c", look) == "[] []\n"


@every_image
def test_command_runs_for_an_unknown_user_id(run, service: str) -> None:
    output = run(service, python_of(service), "-m", service, "--version")
    assert __version__ in output


@every_image
def test_code_is_compiled_at_build_time(run, service: str) -> None:
    count = "find /app -name '*.py' ! -empty | wc -l; find /app -name '*.pyc' -size +0 | wc -l"
    sources, compiled = map(int, run(service, "bash", "-c", count).split())
    assert 0 < sources <= compiled


def test_gateway_image_has_its_optional_packages_and_no_tensorflow(run) -> None:
    look = (
        "import cv2, numpy, uvloop, isal, opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http, "
        "importlib.util; print(importlib.util.find_spec('tensorflow'))"
    )
    assert run("gateway", "python", "-c", look) == "None\n"


def test_the_trainers_malloc_is_tcmalloc(run) -> None:
    maps = run("trainer", "python", "-c", "print(open('/proc/self/maps').read())")
    assert "libtcmalloc_minimal.so.4" in maps


def test_serving_starts_as_it_does_on_tensorflow_servings_image(engine: dict[str, str], checkout, wait_for) -> None:
    """The image built on it, without the server: it waits on a read-only file system and stops at once."""
    image, container = "segstack-test/tensorflow-serving", f"segstack-test-entrypoint-{os.getpid()}"
    build = ["docker", "build", "--quiet", "--file", "services/serving/Dockerfile", "--tag", image, "."]
    build += ["--build-arg", f"SERVING_IMAGE={engine['SERVING_IMAGE']}"]

    def docker(*words: str) -> str:
        done = subprocess.run(["docker", *words], env=engine, stdout=-1, stderr=-2, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout

    subprocess.run(build, cwd=checkout, env=engine, check=True, stdout=subprocess.DEVNULL)
    detached = LEAST.replace("--rm", "--detach")
    try:
        docker("run", *detached.split(), "--name", container, "--env", "MODEL_CONFIG_FILE=/tmp/models.config", image)
        waiting = "waiting for /tmp/models.config: publish a first model\n"
        wait_for(lambda: docker("logs", container) == waiting, "its first line")
        docker("stop", "--time", "60", container)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0\n"  # and not 137, killed
    finally:
        docker("rm", "--force", container)
