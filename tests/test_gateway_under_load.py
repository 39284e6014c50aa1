"""The gateway under load: serving is killed and restarted, and more requests arrive than it has slots for."""

import shutil
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from segstack_testing.waiting import scaled

pytestmark = pytest.mark.gateway

CLIENTS = 4
# The gateway admits 36 requests.
CROWD = 60
BACK_WITHIN_S = 3


@pytest.fixture
def road(lay_road, small_models_root: Path, tmp_path_factory: pytest.TempPathFactory):
    """A new one for each test, as one test restarts serving."""
    models_root = tmp_path_factory.mktemp("load") / "models_repo"
    shutil.copytree(small_models_root, models_root)
    road = lay_road(models_root)
    road.start_serving()
    road.start_gateway()
    road.wait_until_ready()
    return road


class Load:
    """Clients that send the next request after each reply; time and status of every reply."""

    def __init__(self, url: str, image: bytes, clients: int = CLIENTS) -> None:
        self._url = url
        self._image = image
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send_requests) for _ in range(clients)]
        self.answers: list[tuple[float, int, bool]] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send_requests(self) -> None:
        with httpx.Client(base_url=self._url, timeout=scaled(30), trust_env=False) as client:
            while not self._stop.is_set():
                reply = client.post("/segment", content=self._image)
                self.answers.append((time.monotonic(), reply.status_code, "retry-after" in reply.headers))
                if reply.status_code != 200:
                    time.sleep(0.02)  # far sooner than Retry-After says, but serving still gets the CPU

    def since(self, moment: float) -> list[tuple[float, int, bool]]:
        return [answer for answer in list(self.answers) if answer[0] > moment]


def test_serving_killed_and_restarted_under_load(road, photo: Path, wait_for) -> None:
    gateway = road.gateway
    with Load(road.url, photo.read_bytes()) as load:
        wait_for(lambda: len(load.answers) >= 4 * CLIENTS, "answers")
        road.serving.kill()
        road.serving.wait()
        killed_at = time.monotonic()
        wait_for(lambda: len(load.since(killed_at)) >= 4 * CLIENTS, "replies while serving is down")

        road.start_serving()
        returned_at = road.wait_until_serving_listens()
        wait_for(lambda: [a for a in load.since(killed_at) if a[1] == 200], "the first mask after its return")
        again_at = next(moment for moment, status, _ in load.since(killed_at) if status == 200)
        wait_for(lambda: len(load.since(again_at)) >= 4 * CLIENTS, "answers after its return")

    statuses = Counter(status for _, status, _ in load.answers)
    assert set(statuses) <= {200, 503, 504}, statuses
    assert statuses[503] > 0
    assert all(retry_after for _, status, retry_after in load.answers if status == 503)
    # The gateway reconnects at most a second later; the rest is for the first reply itself.
    assert again_at - returned_at < BACK_WITHIN_S
    settled = [status for moment, status, _ in load.answers if moment > again_at + BACK_WITHIN_S]
    assert set(settled) <= {200}
    assert road.gateway is gateway
    assert gateway.poll() is None
    road.wait_until_ready()
    assert road.serving.poll() is None


def test_surplus_requests_get_429_and_the_rest_are_served(road, photo: Path, wait_for) -> None:
    with Load(road.url, photo.read_bytes(), CROWD) as load:
        wait_for(lambda: len(load.answers) > 10 * CROWD, "answers")
    statuses = Counter(status for _, status, _ in load.answers)
    assert set(statuses) == {200, 429}, statuses
    assert all(retry_after for _, status, retry_after in load.answers if status == 429)
    assert road.segment(photo.read_bytes()).status_code == 200
    wait_for(lambda: "segstack_gateway_entered 0.0" in road.http.get("/metrics").text, "every slot released")
