"""Fixtures of the cross-service tests: the real servers in processes, a published model, other Pythons."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from segstack_testing import raw_http, small_model
from segstack_testing.waiting import scaled, wait_until

START_S = 30  # more than anything takes to start with a core to itself


def _wait_for(condition: Callable[[], object], what: str) -> None:
    """Poll twenty times a second, so that the starting process keeps the CPU."""
    wait_until(condition, START_S, what, poll_s=0.05)


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], object], str], None]:
    """``wait_for(condition, "what it is")``: poll until it holds; fails after `START_S`, scaled to the machine."""
    return _wait_for


class Road:
    """The real embedded server and the real gateway over one repository, each started in its own process."""

    serving: subprocess.Popen
    gateway: subprocess.Popen

    def __init__(self, models_root: Path, stack: ExitStack, settings: dict[str, str]) -> None:
        self.models_root = models_root
        self._stack = stack
        self._settings = settings
        self._serving_port, self._gateway_port = raw_http.free_port(), raw_http.free_port()
        self.serving_address = f"127.0.0.1:{self._serving_port}"
        self.url = f"http://127.0.0.1:{self._gateway_port}"
        self.http = stack.enter_context(httpx.Client(base_url=self.url, timeout=30, trust_env=False))

    @property
    def _models_config(self) -> Path:
        return self.models_root / "models.config"

    def start_serving(self, *flags: str) -> None:
        self.serving = self._stack.enter_context(
            _running(
                "serving",
                f"--port={self._serving_port}",
                f"--model_config_file={self._models_config}",
                f"--models_root={self.models_root}",
                *flags,
            )
        )

    def start_gateway(self, **settings: str) -> None:
        self.gateway = self._stack.enter_context(
            _running(
                "gateway",
                GATEWAY_PORT=str(self._gateway_port),
                GATEWAY_SERVING_ADDRESS=self.serving_address,
                GATEWAY_MODELS_CONFIG=str(self._models_config),
                **self._settings,
                **settings,
            )
        )
        _wait_for(lambda: self._status("/livez") == 200, "the gateway's first answer")

    def wait_until_serving_listens(self) -> float:
        """Wait for its port, which it opens when its models have loaded; the time on the monotonic clock."""
        _wait_for(self._serving_listens, "serving's port")
        return time.monotonic()

    def _serving_listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._serving_port)) == 0

    def wait_until_ready(self) -> None:
        try:
            _wait_for(lambda: self._status("/readyz") == 200, "readiness")
        except AssertionError as error:
            last = self._status("/readyz") and self.http.get("/readyz").text
            alive = {
                name: process.poll() for name, process in vars(self).items() if isinstance(process, subprocess.Popen)
            }
            raise AssertionError(f"{error}; /readyz answered {last}; exit statuses {alive}") from None

    def _status(self, path: str) -> int | None:
        try:
            return self.http.get(path).status_code
        except httpx.TransportError:
            return None

    def segment(self, image: bytes, **query: str) -> httpx.Response:
        return self.http.post("/segment", content=image, params=query, headers={"Content-Type": "image/jpeg"})


@contextmanager
def _running(module: str, *arguments: str, **settings: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], env={**os.environ, **settings})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(scaled(15))


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """``free_port()``: an unused port of 127.0.0.1, for a program that cannot choose one itself."""
    return raw_http.free_port


@pytest.fixture(scope="module")
def lay_road() -> Iterator[Callable[..., Road]]:
    """``lay_road(models_root, **settings)``: a Road with nothing started; its processes end with the module.

    The settings apply to every gateway started on it.
    """
    with ExitStack() as stack:
        yield lambda models_root, **settings: Road(models_root, stack, settings)


@pytest.fixture(scope="module")
def road(lay_road: Callable[..., Road], small_models_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Road:
    """Serving and gateway, both up, over the module's own copy of ``small_models_root``."""
    models_root = tmp_path_factory.mktemp("road") / "models_repo"
    shutil.copytree(small_models_root, models_root)
    road = lay_road(models_root)
    road.start_serving()
    road.start_gateway()
    road.wait_until_ready()
    return road


@pytest.fixture(scope="module")
def colour_road(lay_road: Callable[..., Road], tmp_path_factory: pytest.TempPathFactory) -> Road:
    """As ``road``, with a fixed model: class 1 where red is highest, 2 for green, 3 for blue, 0 where it is dark.

    It has the interface of the original project's exports, float32 `input_1` and logits `output`, and a card file.
    """
    import tensorflow as tf

    class ColourNetwork(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="input_1")])
        def serve(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"output": tf.concat([-tf.reduce_max(pixels, -1, keepdims=True), pixels], -1)}

    folder = tmp_path_factory.mktemp("colours")
    models_root, cards = folder / "models_repo", folder / "cards"
    network = ColourNetwork()
    tf.saved_model.save(network, models_root / "colours/1", signatures={"serving_default": network.serve})
    config = 'config { name: "colours" base_path: "/models/colours" model_platform: "tensorflow" }'
    (models_root / "models.config").write_text(f"model_config_list {{ {config} }}")
    cards.mkdir()
    card = {"classes": ["background", "red", "green", "blue"], "preprocessing": {"scale": 2 / 255, "mean": [1, 1, 1]}}
    (cards / "colours.json").write_text(json.dumps({**card, "input_height": 48, "input_width": 64}))
    road = lay_road(models_root, GATEWAY_CARDS=str(cards))
    road.start_serving()
    road.start_gateway()
    road.wait_until_ready()
    return road


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real JPEG of 128x96 pixels with drawn objects on it."""
    from trainer.sources.drawn.scenes import synthesize

    folder = tmp_path_factory.mktemp("photo") / "export"
    synthesize(folder, images=1, height=96, width=128, seed=1)
    return next((folder / "JPEGImages").iterdir())


@pytest.fixture(scope="session")
def find_python() -> Callable[[str], Path | None]:
    """``find_python("3.8")``: an interpreter of that version, from pyenv's folder, uv's or PATH, or None."""

    def find(version: str) -> Path | None:
        return next((python for python in _candidates(version) if _is_python(python, version)), None)

    return find


def _candidates(version: str) -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    managed = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local/share")) / "uv/python"
    yield from sorted(managed.glob(f"cpython-{version}.*/bin/python{version}"), reverse=True)
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)


def _is_python(python: Path, version: str) -> bool:
    """Run it to find out: pyenv's shims exist for versions that are not installed."""
    command = [python, "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


@pytest.fixture(scope="session")
def run_apart() -> Callable[..., str]:
    """``run_apart(command, …, cwd=None)``: its standard output; fails with its output otherwise.

    It runs without this environment's Python variables, and uv downloads no Python.
    """
    ours = ("PYTHON", "PYTEST", "VIRTUAL")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def run(*command: object, cwd: Path | None = None) -> str:
        words = [str(word) for word in command]
        result = subprocess.run(
            words, cwd=cwd, env={**env, "UV_PYTHON_DOWNLOADS": "never"}, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{' '.join(words)}\n{result.stdout}{result.stderr}"
        return result.stdout

    return run


@pytest.fixture(scope="session")
def small_models_root(make_once) -> Path:
    """A repository with version 1 of the model ``small``, shared by all workers of the run: read only.

    Its run folder ``run`` and its data set ``data`` are in the same folder as the repository.
    """
    drawn = make_once("drawn", small_model.draw)
    trained = make_once("trained", lambda folder: small_model.train(folder, drawn / "data"))
    published = make_once("published", lambda folder: small_model.publish(folder, trained / "run", drawn / "data"))
    return published / "models_repo"
