"""A real engine, this checkout's images and the stack: made once for all tests, under separate names."""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[3]
ENGINE = Path(__file__).with_name("engine.sh")
# The checkout's owner: neither root nor the images' own user. Only root can change the owner.
OWNER = os.getuid() or 12345

# A trained model in a minute: small images, few of them, every class in each.
DRAWN = "--images 160 --size 96 128 --seed 3"
TINY = "epochs=10 data.input_height=96 data.input_width=128 optimizer.warmup_steps=10"

# Separate image names, so that the user's images stay as they are.
IMAGES = {name: f"segstack-test/{name}" for name in ("serving", "gateway", "trainer", "converter")}


@pytest.fixture(scope="session")
def engine() -> Iterator[dict[str, str]]:
    """The environment with which docker reaches an engine and builds find base images; what is started is stopped."""
    script = f'exports=$("{ENGINE}" start) && eval "$exports" && env -0'
    started = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    if started.returncode:
        pytest.skip(f"there is no container engine: {started.stderr.strip()}")
    environment = dict(entry.split("=", 1) for entry in started.stdout.split("\0") if entry)
    yield environment
    if "SEGSTACK_ENGINE_STARTED" in environment:
        subprocess.run([ENGINE, "stop"], check=True)
        assert not _processes_of(Path(environment["DOCKER_CONFIG"]).parent)


def _processes_of(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # gone meanwhile
            found.append(process.read_text(errors="replace").replace("\0", " "))
    return [command for command in found if str(folder) in command]


class Stack:
    """The compose files in a copy of the checkout, run with the documented commands."""

    # What the engine knew of the two containers when the first model was answered with.
    at_first_model: dict[str, dict[str, Any]]

    def __init__(self, checkout: Path, engine: dict[str, str], project: str, **environment: str) -> None:
        self.checkout = checkout
        self.project = project
        self.url = f"http://127.0.0.1:{environment.get('GATEWAY_PORT', '8000')}"
        surroundings = ("MAKE", "MFLAGS", "COMPOSE_", "HOST_", "GATEWAY_", "SEGSTACK_")
        self._environment = {
            **{name: value for name, value in engine.items() if not name.startswith(surroundings)},
            "COMPOSE_PROJECT_NAME": project,
            "COMPOSE_FILE": "docker-compose.yml:docker-compose.embedded.yml:docker-compose.test.yml",
            # One after the other: what one has downloaded, pip's cache has for the next.
            "COMPOSE_PARALLEL_LIMIT": "1",
            "RUNTIME": "docker",
            **environment,
        }

    def run(self, *command: object, status: int = 0) -> str:
        """The command's standard output and error, run in the checkout; fails on another exit status."""
        words = [str(word) for word in command]
        done = subprocess.run(
            words,
            cwd=self.checkout,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{' '.join(words)}: {done.returncode}\n{done.stdout[-8000:]}"
        return done.stdout

    def make(self, target: str, **variables: str) -> str:
        return self.run("make", target, *(f"{name}={value}" for name, value in variables.items()))

    def compose(self, *words: object, status: int = 0) -> str:
        return self.run("scripts/run.sh", "compose", *words, status=status)

    def up(self) -> None:
        try:
            self.compose("up", "--detach", "--wait", "serving", "gateway")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.compose('logs', '--no-color')[-8000:]}") from None

    def container(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    def inspect(self, service: str) -> dict[str, Any]:
        return json.loads(self.run("docker", "inspect", self.container(service)))[0]

    def inside(self, service: str, script: str) -> str:
        """The output of bash in the running container, as the container's user."""
        return self.run("docker", "exec", self.container(service), "bash", "-c", script).strip()

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, trust_env=False)

    def segment(self, image: bytes, **query: str) -> httpx.Response:
        return httpx.post(f"{self.url}/segment", content=image, params=query, timeout=30, trust_env=False)

    def answers(self, path: str = "/readyz") -> bool:
        try:
            return self.get(path).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout as it is, without ignored files, owned by a user with umask 077."""
    folder = tmp_path_factory.mktemp("containers") / "segstack"
    list_files = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(list_files, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    renamed = {"services": {service: {"image": image} for service, image in IMAGES.items()}}
    (folder / "docker-compose.test.yml").write_text(json.dumps(renamed))
    subprocess.run(["chmod", "-R", "go=", folder], check=True)
    if not os.getuid():
        subprocess.run(["chown", "-R", f"{OWNER}:{OWNER}", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def images(engine: dict[str, str], checkout: Path) -> dict[str, str]:
    """The image of each service, built by ``make images`` for CPUs, with the embedded server."""
    began = time.monotonic()
    Stack(checkout, engine, "segstack-test-images").make("images")
    print(f"make images took {time.monotonic() - began:.0f} s")
    return IMAGES


@pytest.fixture(scope="session")
def new_stack(
    engine: dict[str, str], checkout: Path, images: dict[str, str], free_port: Callable[[], int]
) -> Iterator[Callable[..., Stack]]:
    """``new_stack(NAME="value")``: a project that is not up yet; it is removed at the end."""
    numbers = itertools.count()
    with contextlib.ExitStack() as made:

        def new(**environment: str) -> Stack:
            project = f"segstack-test-{os.getpid()}-{next(numbers)}"
            ports = {f"{service}_PORT": str(free_port()) for service in ("GATEWAY", "SERVING")}
            stack = Stack(checkout, engine, project, **ports, **environment)
            made.callback(stack.compose, "--profile", "*", "down", "--volumes", "--timeout", "2")
            return stack

        yield new


@pytest.fixture(scope="session")
def empty_stack(new_stack: Callable[..., Stack]) -> tuple[Stack, dict[str, httpx.Response]]:
    """The stack, healthy over an empty models_repo, and its replies in that state."""
    stack = new_stack()
    assert [path.name for path in (stack.checkout / "models_repo").iterdir()] == ["README.md"]
    stack.up()
    return stack, {path: stack.get(path) for path in ("/", "/livez", "/readyz", "/models")}


@pytest.fixture(scope="session")
def stack(empty_stack: tuple[Stack, dict[str, httpx.Response]], wait_for: Callable[..., None]) -> Stack:
    """The same stack, not restarted, after ``make train`` published ``drawn`` in the trainer's container."""
    stack, _ = empty_stack
    began = time.monotonic()
    trainer = ["scripts/run.sh", "data"]
    stack.run(*trainer, "synthesize", "--output", "data/labelled", *DRAWN.split())
    stack.run(*trainer, "import", "cvat", "data/labelled", "--output", "data/drawn")
    stack.make("train", CONFIG="services/trainer/recipes/demo.yaml", DATA="data/drawn", NAME="drawn", SET=TINY)
    print(f"make train took {time.monotonic() - began:.0f} s, drawing and importing included")
    wait_for(stack.answers, "readiness after the first model was published")

    def inspect_both() -> dict[str, dict[str, Any]]:
        return {service: stack.inspect(service) for service in ("serving", "gateway")}

    def are_healthy() -> bool:
        return all(found["State"]["Health"]["Status"] == "healthy" for found in inspect_both().values())

    # A load that takes long is a while of bad health: the port opens behind it, and the next look is in 10 s.
    wait_for(are_healthy, "health after the first model was published")
    stack.at_first_model = inspect_both()
    return stack
