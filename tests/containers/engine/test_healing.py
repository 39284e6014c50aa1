"""Killed processes restart by themselves, stopped containers with the next `up`; meanwhile clients get Retry-After."""

import threading
import time
from collections import Counter

import httpx
import pytest

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

CLIENTS = 4
# What a caller may see while one of the two is away; with anything else something would be broken.
AWAY = {503, 504, "unreachable"}

every_service = pytest.mark.parametrize("service", ["serving", "gateway"])


class Load:
    """Clients that send the next request after each reply; time and status of every reply."""

    def __init__(self, stack, image: bytes) -> None:
        self._stack = stack
        self._image = image
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send_requests) for _ in range(CLIENTS)]
        self.answers: list[tuple[float, int | str]] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send_requests(self) -> None:
        while not self._stop.is_set():
            try:
                status = self._stack.segment(self._image).status_code
            except httpx.TransportError:
                status = "unreachable"
            self.answers.append((time.monotonic(), status))
            if status != 200:
                time.sleep(0.05)  # leaves the processor to the restarting containers

    def since(self, moment: float) -> list[int | str]:
        return [status for at, status in list(self.answers) if at > moment]


@pytest.fixture(scope="module")
def image(stack) -> bytes:
    return sorted((stack.checkout / "data/drawn/images").iterdir())[0].read_bytes()


@pytest.fixture
def load(stack, image: bytes, wait_for):
    wait_for(stack.answers, "readiness")
    with Load(stack, image) as load:
        wait_for(lambda: load.since(0).count(200) >= 2 * CLIENTS, "masks")
        yield load
    assert set(load.since(0)) <= {200, *AWAY}, Counter(load.since(0))


def wait_until_healed(load: Load, since: float, wait_for) -> None:
    wait_for(lambda: AWAY & set(load.since(since)), "an answer while it is away")
    wait_for(lambda: load.since(since)[-2 * CLIENTS :].count(200) == 2 * CLIENTS, "masks again")
    print(f"masks again after {time.monotonic() - since:.1f} s: {Counter(load.since(since))}")


@every_service
def test_a_process_that_is_killed_is_started_again(stack, load: Load, service: str, wait_for) -> None:
    """As the kernel does when memory runs out: the container ends too, and the engine restarts it."""
    restarts = stack.inspect(service)["RestartCount"]
    killed_at = time.monotonic()
    # Detached: the container takes the shell that did it along.
    stack.run("docker", "exec", "--detach", stack.container(service), "bash", "-c", "kill -KILL -1")
    wait_until_healed(load, killed_at, wait_for)
    assert stack.inspect(service)["RestartCount"] == restarts + 1


@every_service
def test_container_stopped_by_docker_kill_returns_with_the_next_up(stack, load: Load, service: str, wait_for) -> None:
    """Docker treats this as a manual stop, after which no restart policy applies."""
    killed_at = time.monotonic()
    stack.run("docker", "kill", stack.container(service))
    wait_for(lambda: AWAY & set(load.since(killed_at)), "an answer while it is away")
    assert stack.inspect(service)["State"]["Status"] == "exited"
    stack.up()
    wait_until_healed(load, killed_at, wait_for)
