"""``segclient webcam``: segment a camera live."""

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
from segclient.api.parameters import StreamParameters
from segclient.api.results import StreamResult
from segclient.api.retries import Retries
from segclient.commands.atomic_write import replacing
from segclient.commands.forms import FORMS, draw_overlay
from segclient.commands.shared import add_command, create_client, frame_summary, progress_bar, segment_parameters
from segclient.errors import SegclientError, SettingsError, StreamClosed, Unreachable
from segclient.images import RgbArray
from segclient.video.camera import Camera
from segclient.video.files import VideoWriter, codec_of

_TITLE = "segclient"
_QUIT_KEYS = frozenset({ord("q"), 27})
_NO_WINDOWS = (
    "this OpenCV cannot open windows: --show needs opencv-python instead of opencv-python-headless, in a separate "
    "environment (docs/clients.md explains how); --output FILE and --form json work without"
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add ``webcam``."""
    parser = add_command(
        commands, "webcam", _webcam, "segment a camera live, until Ctrl-C", default="overlay", without={"mask"}
    )
    parser.add_argument(
        "--camera", default="0", metavar="N", help="its number, or a video file to play instead (default: %(default)s)"
    )
    parser.add_argument("--show", action="store_true", help="in a window; q or Esc closes it")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="record to a .mp4, .mov, .mkv or .avi file; with --form json any file, or - (default) for standard output",
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after this time")


def _webcam(options: argparse.Namespace) -> int:
    parameters: StreamParameters = segment_parameters(options)
    if options.form != "json" and not options.show and not options.output:
        raise SettingsError("nothing would show the result: add --show, --output FILE or --form json")
    with ExitStack() as contexts:
        sinks: list[_Sink] = []
        if options.show:
            sinks.append(contexts.enter_context(_window()))
        if options.form != "json" and options.output:
            codec_of(Path(options.output), lossless=False)
        camera = contexts.enter_context(Camera(int(options.camera) if options.camera.isdecimal() else options.camera))
        client = contexts.enter_context(create_client(options))
        client.models()
        if options.form == "json":
            to_stdout = options.output in (None, "-")
            lines = sys.stdout if to_stdout else contexts.enter_context(replacing(Path(options.output))).open("w")
            sinks.append(contexts.enter_context(_json_lines(lines, close=not to_stdout)))
        elif options.output:
            writer = VideoWriter(contexts.enter_context(replacing(Path(options.output))), camera.rate)
            sinks.append(_recorder(contexts.enter_context(writer), camera.rate))
        # Ctrl-C is the normal way to stop: what was recorded until then is kept.
        with suppress(KeyboardInterrupt):
            _run(_results(client, camera, parameters), sinks, options)
    return 0


# Receives a result and the array drawn from it; returns whether to continue.
_Sink = Callable[[StreamResult, RgbArray], bool]


def _run(results: Iterator[StreamResult], sinks: list[_Sink], options: argparse.Namespace) -> None:
    draw = FORMS[options.form].draw or draw_overlay  # a window next to JSON lines shows overlays
    is_seen = options.show or options.form != "json"
    started = time.monotonic()
    with progress_bar("live", "frame", None) as bar:
        for result in results:
            drawn = draw(result, result.frame, options.alpha) if is_seen else result.frame
            bar.set_postfix_str(f"{result.timings.round_trip_ms:.0f} ms, {result.dropped} dropped", refresh=False)
            bar.update()
            should_continue = [sink(result, drawn) for sink in sinks]
            is_over = options.seconds is not None and time.monotonic() - started >= options.seconds
            if is_over or not all(should_continue):
                return


def _results(client: Client, camera: Camera, parameters: StreamParameters) -> Iterator[StreamResult]:
    """The stream's results; it is reopened when the gateway restarts, and repeated errors are printed once."""
    retries = Retries(client.patience_s)
    attempts = retries.request()
    printed = ""
    while True:
        try:
            for result in client.stream(camera, return_exceptions=True, **parameters):
                if isinstance(result, SegclientError):
                    printed = _print_once(result, printed)
                    continue
                attempts, printed = retries.request(), ""
                yield result
            return
        except (StreamClosed, Unreachable) as error:
            retries.has_answered = True  # it answered client.models() before
            attempts.failed(error)
            printed = _print_once(error, printed)
            time.sleep(attempts.wait_s())


def _print_once(error: SegclientError, printed: str) -> str:
    """Print the error above the progress bar unless it is the one ``printed`` last; returns the last printed."""
    if str(error) != printed:
        tqdm.write(f"segclient: {error}; continuing", file=sys.stderr)
    return str(error)


@contextmanager
def _window() -> Iterator[_Sink]:
    """A window that one of ``_QUIT_KEYS`` closes.

    Raises:
        SettingsError: this OpenCV cannot open windows.
    """
    try:
        cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL)
    except cv2.error:
        raise SettingsError(_NO_WINDOWS) from None

    def show(_: StreamResult, drawn: RgbArray) -> bool:
        cv2.imshow(_TITLE, cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) not in _QUIT_KEYS and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) > 0

    try:
        yield show
    finally:
        cv2.destroyAllWindows()


@contextmanager
def _json_lines(lines: TextIO, *, close: bool) -> Iterator[_Sink]:
    """JSON lines, each flushed before the next frame."""

    def write(result: StreamResult, _: RgbArray) -> bool:
        lines.write(json.dumps(frame_summary(result, frame=result.sequence, dropped=result.dropped)) + "\n")
        lines.flush()
        return True

    try:
        yield write
    finally:
        if close:
            lines.close()


def _recorder(writer: VideoWriter, rate: float) -> _Sink:
    """Records in real time: a frame is repeated until the next one arrives, so the video lasts as long as it took."""
    started = time.monotonic()
    written = 0

    def record(_: StreamResult, drawn: RgbArray) -> bool:
        nonlocal written
        due = max(1, round((time.monotonic() - started) * rate) - written)
        for _repeat in range(due):
            writer.write(drawn)
        written += due
        return True

    return record
