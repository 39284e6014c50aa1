"""``segclient webcam``: a camera, live."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

import cv2
from tqdm import tqdm

from segclient.api.client import Client
from segclient.api.options import StreamOptions
from segclient.api.results import StreamResult
from segclient.api.retries import Retries
from segclient.commands.files import beside
from segclient.commands.progress import progress
from segclient.commands.shared import add_command, asked, client, described
from segclient.errors import SegclientError, SettingsError, StreamClosed, Unreachable
from segclient.images import Picture
from segclient.video.camera import Camera
from segclient.video.files import VideoWriter, codec_of

_TITLE = "segclient"
_QUIT_KEYS = frozenset({ord("q"), 27})
_NO_WINDOWS = (
    "this OpenCV cannot open windows: --show needs opencv-python in the place of opencv-python-headless, in an "
    "environment of its own (docs/clients.md says how); --output FILE and --as json do without"
)


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``webcam``."""
    webcam = add_command(
        commands, "webcam", _webcam, "segment a camera live, until Ctrl-C", ("overlay", "color", "json")
    )
    webcam.add_argument(
        "--camera", default="0", metavar="N", help="its number, or a video file in its place (default: %(default)s)"
    )
    webcam.add_argument("--show", action="store_true", help="in a window; q or Esc closes it")
    webcam.add_argument(
        "--output", metavar="FILE", help="record there, .mp4, .mov, .mkv or .avi; for JSON lines any, or -, the default"
    )
    webcam.add_argument("--seconds", type=float, metavar="S", help="stop after so long")


def _webcam(options: argparse.Namespace) -> int:
    wanted: StreamOptions = asked(options)
    if options.kind != "json" and not options.show and not options.output:
        raise SettingsError("nobody would see the picture: add --show, --output FILE or --as json")
    with ExitStack() as things:
        sinks: list[_Sink] = []
        if options.show:
            sinks.append(things.enter_context(_window()))
        if options.kind != "json" and options.output:
            codec_of(Path(options.output), lossless=False)
        camera = things.enter_context(Camera(int(options.camera) if options.camera.isdecimal() else options.camera))
        gateway = things.enter_context(client(options))
        gateway.models()
        if options.kind == "json":
            to_terminal = options.output in (None, "-")
            lines = sys.stdout if to_terminal else things.enter_context(beside(Path(options.output))).open("w")
            sinks.append(things.enter_context(_described(lines, close=not to_terminal)))
        elif options.output:
            writer = VideoWriter(things.enter_context(beside(Path(options.output))), camera.rate)
            sinks.append(_recorder(things.enter_context(writer), camera.rate))
        # Ctrl-C is how one ends: what was recorded until then is kept.
        with suppress(KeyboardInterrupt):
            _show(_results(gateway, camera, wanted), sinks, options)
    return 0


# Takes a result and its picture; says whether to go on.
_Sink = Callable[[StreamResult, Picture], bool]


def _show(results: Iterator[StreamResult], sinks: list[_Sink], options: argparse.Namespace) -> None:
    started = time.monotonic()
    with progress("live", "frame", None) as bar:
        for result in results:
            picture = result.color() if options.kind == "color" else result.overlay(alpha=options.alpha)
            bar.set_postfix_str(f"{result.timings.round_trip_ms:.0f} ms, {result.dropped} dropped", refresh=False)
            bar.update()
            wanted = [sink(result, picture) for sink in sinks]
            is_late = options.seconds is not None and time.monotonic() - started >= options.seconds
            if is_late or not all(wanted):
                return


def _results(gateway: Client, camera: Camera, wanted: StreamOptions) -> Iterator[StreamResult]:
    """The stream's; it is begun again where the gateway restarts, and a frame's error is told once."""
    retries = Retries(gateway.patience_s)
    attempts = retries.request()
    told = ""
    while True:
        try:
            for result in gateway.stream(camera, return_exceptions=True, **wanted):
                if isinstance(result, SegclientError):
                    told = _tell(result, told)
                    continue
                attempts, told = retries.request(), ""
                yield result
            return
        except (StreamClosed, Unreachable) as error:
            retries.has_answered = True  # it has said which models there are
            attempts.failed(error)
            told = _tell(error, told)
            time.sleep(attempts.wait_s())


def _tell(error: SegclientError, told: str) -> str:
    """Say it beside the bar, unless it is what was told last; returns what has been told now."""
    if str(error) != told:
        tqdm.write(f"segclient: {error}; going on", file=sys.stderr)
    return str(error)


@contextmanager
def _window() -> Iterator[_Sink]:
    """A window, until one of the keys that close it.

    Raises:
        SettingsError: this OpenCV has none.
    """
    try:
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)
    except cv2.error:
        raise SettingsError(_NO_WINDOWS) from None

    def show(_: StreamResult, picture: Picture) -> bool:
        cv2.imshow(_TITLE, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) not in _QUIT_KEYS and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) > 0

    try:
        yield show
    finally:
        cv2.destroyAllWindows()


@contextmanager
def _described(lines: TextIO, *, close: bool) -> Iterator[_Sink]:
    """JSON lines, each out before the next frame."""

    def write(result: StreamResult, _: Picture) -> bool:
        lines.write(json.dumps(described(result, frame=result.sequence, dropped=result.dropped)) + "\n")
        lines.flush()
        return True

    try:
        yield write
    finally:
        if close:
            lines.close()


def _recorder(writer: VideoWriter, rate: float) -> _Sink:
    """A video that lasts as long as it took: a frame is written as often as is due until the next one comes."""
    started = time.monotonic()
    written = 0

    def record(_: StreamResult, picture: Picture) -> bool:
        nonlocal written
        due = max(1, round((time.monotonic() - started) * rate) - written)
        for _repeat in range(due):
            writer.write(picture)
        written += due
        return True

    return record
