"""A new version as shadow, canary and default under load, as docs/operating.md describes."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from segstack_testing.waiting import scaled

pytestmark = pytest.mark.gateway

CAMERAS = 20


class Cameras:
    """Clients that send requests in a loop, and the version that last answered each of them."""

    def __init__(self, url: str, image: bytes) -> None:
        self._image = image
        self._http = httpx.Client(base_url=url, timeout=scaled(30), trust_env=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_requests)
        self.rounds = 0
        self.versions: dict[str, str] = {}
        self.failures: list[str] = []

    def __enter__(self) -> "Cameras":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._http.close()

    def _send_requests(self) -> None:
        while not self._stop.wait(0.2):  # leaves CPU time to the publishing command
            for name in (f"camera-{number}" for number in range(CAMERAS)):
                reply = self._http.post("/segment", content=self._image, headers={"X-Session-Id": name})
                if reply.status_code == 200:
                    self.versions[name] = reply.headers["X-Model-Version"]
                else:
                    self.failures.append(reply.text)
            self.rounds += 1


def command(models_root: Path, words: str) -> None:
    """Run ``python -m …`` in the folder that holds the repository and the run of its first version."""
    words_of_it = [*words.split(), "--models-root", str(models_root)]
    subprocess.run([sys.executable, "-m", *words_of_it], cwd=models_root.parent, check=True)


def test_new_version_is_shadow_then_canary_then_default(
    lay_road, small_models_root: Path, tmp_path: Path, photo: Path, wait_for
) -> None:
    shutil.copytree(small_models_root.parent, tmp_path, dirs_exist_ok=True)
    models_root = tmp_path / small_models_root.name
    command(models_root, "contract label small stable 1")
    road = lay_road(
        models_root,
        GATEWAY_DEFAULT_LABEL="stable",
        GATEWAY_SHADOW="small:2=1",
        GATEWAY_CANARY="small:2=0.5",
        GATEWAY_LOG_LEVEL="warning",
    )
    road.start_serving("--model_config_file_poll_wait_seconds=1")
    road.start_gateway()
    road.wait_until_ready()

    def model() -> dict:
        return road.http.get("/models/small").json()

    with Cameras(road.url, photo.read_bytes()) as cameras:

        def have_all_sent_again() -> bool:
            return cameras.rounds >= rounds + 2

        wait_for(lambda: cameras.rounds, "an answer to each camera")
        assert set(cameras.versions.values()) == {"1"}

        command(models_root, "trainer export --run run --name small")
        wait_for(lambda: [v["version"] for v in model()["versions"] if v["state"] == "AVAILABLE"] == [2, 1], "both")
        rounds = cameras.rounds
        wait_for(have_all_sent_again, "two rounds more")
        chosen = {name for name, version in cameras.versions.items() if version == "2"}
        assert 0 < len(chosen) < CAMERAS
        assert (model()["version"], model()["label"]) == (1, "stable")
        assert road.http.get("/readyz").json()["version"] == 1
        wait_for(lambda: road.http.get("/models/small/agreement").json()["compared"], "a comparison")
        pairs = road.http.get("/models/small/agreement").json()["comparisons"]
        assert (1, 2) in [(pair["version"], pair["shadow_version"]) for pair in pairs]

        command(models_root, "contract label small stable 2")
        wait_for(lambda: set(cameras.versions.values()) == {"2"}, "version 2 for every camera")
        assert model()["version"] == 2

        command(models_root, "contract label small stable 1")  # and back
        wait_for(lambda: set(cameras.versions.values()) == {"1", "2"}, "version 1 again for clients outside the canary")
        assert {name for name, version in cameras.versions.items() if version == "2"} >= chosen
    assert cameras.failures == []
