"""``segclient video``: every frame of a video file, in order, at its rate and size."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from segclient import parallel
from segclient.api.client import Client
from segclient.api.options import SegmentOptions
from segclient.api.results import Segmentation
from segclient.commands.files import beside
from segclient.commands.progress import progress
from segclient.commands.shared import add_command, add_parallel, asked, client, described
from segclient.errors import SettingsError
from segclient.images import Mask, Picture, stretch
from segclient.video import audio
from segclient.video.files import VideoReader, VideoWriter, codec_of

_SUFFIXES = {"overlay": ".mp4", "color": ".mp4", "mask": ".mkv", "json": ".jsonl"}


def add_commands(commands: argparse._SubParsersAction) -> None:
    """``video``."""
    video = add_command(
        commands, "video", _video, "segment every frame of a video file", ("overlay", "color", "mask", "json")
    )
    video.add_argument("video", type=Path, help="whatever FFmpeg reads")
    video.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="default: VIDEO-overlay.mp4 and so on; .mp4, .mov, .mkv or .avi, for a mask, lossless, .mkv or .avi, "
        "for JSON lines any",
    )
    add_parallel(video)


def _video(options: argparse.Namespace) -> int:
    wanted = asked(options)
    output = options.output or Path(f"{options.video.stem}-{options.kind}{_SUFFIXES[options.kind]}")
    if options.kind != "json":
        codec_of(output, lossless=options.kind == "mask")
    if output.exists() and options.video.exists() and output.samefile(options.video):
        raise SettingsError(f"--output {output} is the video itself; name another")
    reader = VideoReader(options.video)
    with client(options) as gateway:
        gateway.models()
        with beside(output) as temporary:
            is_padded = _write(gateway, reader, temporary, options, wanted)
            silent = _carry_sound_over(options.video, temporary) if options.kind in ("overlay", "color") else ""
    print(f"{output}: {reader.count} frames at {reader.rate:g} a second")
    if is_padded:
        print("segclient: an odd size cannot be encoded; the last row or column is repeated", file=sys.stderr)
    if silent:
        print(f"segclient: {silent}", file=sys.stderr)
    if reader.is_damaged:
        print(
            f"segclient: {options.video}: cannot be read beyond frame {reader.count} of {reader.announced}; repair or "
            "re-encode it for the rest",
            file=sys.stderr,
        )
        return 1
    return 0


def _write(
    gateway: Client, reader: VideoReader, target: Path, options: argparse.Namespace, wanted: SegmentOptions
) -> bool:
    """Whether frames had to be padded to an even size."""
    draw = _DRAWERS.get(options.kind)
    wanted["size"] = "model"  # stretched here, which costs less than sending it

    def segmented(frame: Picture) -> tuple[Segmentation, Picture | None]:
        result = gateway.segment(frame, **wanted)
        return result, draw(result, frame, options.alpha) if draw else None

    with ExitStack() as open_files:
        if draw:
            writer = open_files.enter_context(VideoWriter(target, reader.rate, lossless=options.kind == "mask"))
        else:
            lines = open_files.enter_context(target.open("w"))
        with progress(options.video.name, "frame", reader.announced or None) as bar:
            for number, (result, picture) in enumerate(_results(segmented, reader, options.parallel)):
                if picture is not None:
                    writer.write(picture)
                else:
                    seconds = round(number / reader.rate, 6)
                    lines.write(json.dumps(described(result, frame=number, seconds=seconds)) + "\n")
                bar.update()
        return draw is not None and writer.is_padded


def _results(
    segmented: Callable[[Picture], tuple[Segmentation, Picture | None]], reader: VideoReader, count: int
) -> Iterator[tuple[Segmentation, Picture | None]]:
    for _, done in parallel.in_order(segmented, reader, count):
        yield done.result()


def _ids(mask: Mask, frame: Picture) -> Picture:
    return np.repeat(stretch(mask, *frame.shape[:2])[..., None], 3, 2)


_DRAWERS: dict[str, Callable[[Segmentation, Picture, float], Picture]] = {
    "overlay": lambda result, frame, alpha: result.overlay(frame, alpha),
    "color": lambda result, frame, alpha: result.stretched(*frame.shape[:2]).color(),
    "mask": lambda result, frame, alpha: _ids(result.mask, frame),
}


def _carry_sound_over(source: Path, video: Path) -> str:
    """What there is to say where the sound could not be kept."""
    if not audio.is_there():
        return "sound, if there was any, is left out: keeping it needs ffmpeg (on Debian: apt install ffmpeg)"
    try:
        audio.carry_over(source, video)
    except SettingsError as error:
        return str(error)
    return ""
