"""``make demo``: everything on one machine, from a drawn labelled set to an overlay over HTTP.

Each step is one command, printed before it runs. The results are kept in demo/ and models_repo/, so a second run goes
straight to serving; FRESH=1 starts over. ONESHOT=1 writes the overlay and exits.
"""

import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from email.message import Message
from pathlib import Path

from contract import versions

ROOT = Path(__file__).resolve().parent.parent
SEGSTACK = Path(sys.executable).with_name("segstack")
DEMO = Path("demo")
EXPORT, DATA, RUN, PHOTO = DEMO / "cvat_export", DEMO / "data", DEMO / "run", DEMO / "photo.jpg"
MODELS_ROOT = Path("models_repo")
MODEL = "demo"
PUBLISHED = MODELS_ROOT / MODEL
RECIPE = Path("services/trainer/recipes/demo.yaml")

# Servers of this machine are never behind the proxy that http_proxy may name.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))

# OpenVINO takes a half to a quarter of TensorFlow's time (benchmarks/serving.py); serving itself checks whether bf16
# suits this processor and this model.
FASTEST_ENGINE = ["--engine=openvino", "--precision=auto"] if importlib.util.find_spec("openvino") else []

START_SECONDS = 90
REQUESTS = 10


class DemoError(Exception):
    """A step failed; its output, already printed, gives the reason."""


def main() -> int:
    """Train, publish and serve; return the exit status."""
    os.chdir(ROOT)
    for number in (signal.SIGTERM, signal.SIGHUP):  # `kill` and a closed terminal clean up as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    started = time.monotonic()
    try:
        oneshot, port = is_set("ONESHOT"), page_port()
        if is_set("FRESH"):
            shutil.rmtree(DEMO, ignore_errors=True)
        trained = train_and_publish()
        if trained:
            print(f"\ndemo: from nothing to a published model in {time.monotonic() - started:.0f} s")
        serve_and_show(free_port() if oneshot else port, oneshot)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped, with everything it started")
        return 130 if is_set("ONESHOT") else 0
    return 0


def train_and_publish() -> bool:
    """Draw, import, train, export, skipping what an earlier run has finished; return whether anything was done."""
    DEMO.mkdir(exist_ok=True)
    steps: list[tuple[str, Path, list[str | Path]]] = [
        (
            "draw a labelled set on real photographs, in CVAT's export layout",
            PHOTO,
            ["data", "synthesize", "--output", EXPORT, "--scene", PHOTO],
        ),
        ("import it, as you would your own CVAT export", DATA, ["data", "import", "cvat", EXPORT, "--output", DATA]),
        ("train DDRNet-23-slim from random weights", RUN, ["train", DATA, "--config", RECIPE, "--run", RUN]),
        (
            "freeze, measure on held-out images, publish",
            PUBLISHED,
            ["export", "--run", RUN, "--name", MODEL, "--models-root", MODELS_ROOT],
        ),
    ]
    made = False
    for title, result, command in steps:
        finished = DEMO / f".done-{result.name}"
        there = versions(MODELS_ROOT, MODEL) if result == PUBLISHED else result.exists()
        if finished.exists() and there and not made:
            continue
        made = True
        for leftover in {PHOTO: [EXPORT], PUBLISHED: []}.get(result, [result]):
            shutil.rmtree(leftover, ignore_errors=True)  # of an interrupted demo
        print(f"\n== {title}\n$ {typed(command)}", flush=True)
        if subprocess.run([SEGSTACK, *command]).returncode:
            raise DemoError(f"could not {title}")
        finished.touch()
    return made


def typed(arguments: Sequence[str | Path]) -> str:
    """A segstack command as typed in the repository's folder."""
    program = SEGSTACK.relative_to(ROOT) if SEGSTACK.is_relative_to(ROOT) else SEGSTACK
    return shlex.join(map(str, [program, *arguments]))


def is_set(variable: str) -> bool:
    """Whether a switch such as ONESHOT=1 is on."""
    return os.environ.get(variable, "") not in ("", "0")


def page_port() -> int:
    """The port of the page, from PORT; checked before the minutes of training."""
    text = os.environ.get("PORT") or "8000"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise DemoError(f"PORT={text}: expected a number from 1 to 65535")
    if not is_set("ONESHOT") and port_is_taken(int(text)):
        raise DemoError(
            f"port {text} is in use, perhaps by another demo: stop it, or choose another port: make demo PORT=8080"
        )
    return int(text)


def serve_and_show(port: int, oneshot: bool) -> None:
    """Start serving and the gateway, segment the photograph, print the results, and stay unless ``oneshot``."""
    serving_port = free_port(0 if port_is_taken(8500) else 8500)
    serving = [
        "serve",
        f"--port={serving_port}",
        # Only this model: another one in the repository may need a GPU and keep serving from starting.
        f"--model_name={MODEL}",
        f"--model_base_path={ROOT / PUBLISHED}",
        *FASTEST_ENGINE,
    ]
    gateway_settings = {
        "GATEWAY_PORT": str(port),
        "GATEWAY_SERVING_ADDRESS": f"127.0.0.1:{serving_port}",
        "GATEWAY_MODELS": MODEL,
    }
    url = f"http://127.0.0.1:{port}"
    with running("serving", serving, {}) as server, running("gateway", ["gateway"], gateway_settings) as gateway:
        wait_until_ready(url, {"serving": server, "gateway": gateway})
        report(url)
        if oneshot:
            return
        print(f"\nThe page is on http://localhost:{port}: drop an image on it. Ctrl-C stops everything.", flush=True)
        while server.poll() is None and gateway.poll() is None:
            time.sleep(0.5)
        raise DemoError(f"serving or the gateway ended unexpectedly: see {DEMO}/serving.log and {DEMO}/gateway.log")


def report(url: str) -> None:
    """Segment the demo's photograph through the gateway, and print the results and where they are."""
    photo = PHOTO.read_bytes()
    overlay, _, _ = post(f"{url}/segment?form=overlay", photo)
    (DEMO / "overlay.jpg").write_bytes(overlay)
    milliseconds = []
    for _ in range(REQUESTS):
        mask, headers, seconds = post(f"{url}/segment", photo)
        milliseconds.append(seconds * 1000)
    (DEMO / "mask.png").write_bytes(mask)
    with LOCAL.open(f"{url}/models/{MODEL}") as response:
        metrics = json.load(response)["metrics"]
    print(
        f"""
photo     {PHOTO} (a photograph that is not in the training set)
overlay   {DEMO / "overlay.jpg"}
mask      {DEMO / "mask.png"} (an indexed PNG: a pixel's value is its class id)
mIoU      {metrics["miou"]:.4f} on {metrics["images"]} held-out images ({metrics["split"]} split, confusion matrix)
model     {headers["X-Model-Name"]} version {headers["X-Model-Version"]}, served over gRPC
engine    {engine()}
request   {statistics.median(milliseconds):.0f} ms from photo to mask, the median of {REQUESTS}; one of them, in ms:
          {headers["Server-Timing"]}"""
    )


def engine() -> str:
    """The engine that serving uses and why, from its log."""
    log = (DEMO / "serving.log").read_text(errors="replace")
    compared = re.findall(rf"{MODEL}/\d+: serving_default on (OpenVINO \w+) agrees with TensorFlow on ([\d.]+ %)", log)
    if not compared:
        return f"TensorFlow, as OpenVINO {'does not take this model' if FASTEST_ENGINE else 'is not installed'}"
    name, agreement = compared[-1]
    return f"{name}, the fastest on this processor; its masks equal TensorFlow's on {agreement} of pixels"


def post(url: str, image: bytes) -> tuple[bytes, Message, float]:
    """POST an image; return the body, the headers and the seconds it took."""
    request = urllib.request.Request(url, image, {"Content-Type": "image/jpeg"})  # noqa: S310 - our own gateway
    started = time.perf_counter()
    try:
        with LOCAL.open(request) as response:
            return response.read(), response.headers, time.perf_counter() - started
    except urllib.error.HTTPError as error:
        raise DemoError(f"POST {url} was answered {error.code}: {error.read().decode()}") from None


def wait_until_ready(url: str, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Wait until the gateway reports that the model is served; fail as soon as a process has ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for name, process in processes.items():
            if process.poll() is not None:
                raise DemoError(f"{name} ended with status {process.returncode}:\n{log_tail(name)}")
        with contextlib.suppress(OSError), LOCAL.open(f"{url}/readyz", timeout=2):
            return
        time.sleep(0.1)
    raise DemoError(f"not ready after {START_SECONDS} s:\n{log_tail('serving')}\n{log_tail('gateway')}")


@contextlib.contextmanager
def running(name: str, command: list[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a segstack command in its own session, its output in demo/<name>.log, until the block ends."""
    shown = " ".join([*(f"{key}={value}" for key, value in settings.items()), typed(command)])
    print(f"\n== start {name}\n$ {shown}", flush=True)
    with (DEMO / f"{name}.log").open("wb") as log:
        # Its own session: the terminal's Ctrl-C reaches only this process, which stops the others in order.
        process = subprocess.Popen(
            [SEGSTACK, *command],
            env={**os.environ, **settings},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def log_tail(name: str) -> str:
    """The last lines that a process wrote."""
    return "\n".join((DEMO / f"{name}.log").read_text(errors="replace").splitlines()[-20:])


def port_is_taken(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    try:
        free_port(port)
    except OSError:
        return True
    return False


def free_port(port: int = 0) -> int:
    """``port``, or with 0 any free one.

    Raises:
        OSError: it is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port closed a moment ago is free
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
