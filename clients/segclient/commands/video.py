"""``segclient video``: segment every frame of a video file, in order, at its rate and size."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from segclient import parallel
from segclient.api.client import Client
from segclient.api.parameters import SegmentParameters
from segclient.api.results import Segmentation
from segclient.commands.atomic_write import replacing
from segclient.commands.forms import FORMS
from segclient.commands.shared import (
    add_command,
    add_parallel,
    create_client,
    frame_summary,
    progress_bar,
    segment_parameters,
)
from segclient.errors import SettingsError
from segclient.images import RgbArray
from segclient.video import audio
from segclient.video.files import VideoReader, VideoWriter, codec_of


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add ``video``."""
    parser = add_command(commands, "video", _video, "segment every frame of a video file", default="overlay")
    parser.add_argument("video", type=Path, help="any file that FFmpeg reads")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="default: VIDEO-overlay.mp4 and so on; .mp4, .mov, .mkv or .avi; for --form mask, which is lossless, "
        ".mkv or .avi; for --form json any",
    )
    add_parallel(parser)


def _video(options: argparse.Namespace) -> int:
    parameters: SegmentParameters = segment_parameters(options)
    form = FORMS[options.form]
    output = options.output or Path(f"{options.video.stem}-{options.form}{form.video}")
    if form.draw:
        codec_of(output, lossless=form.is_lossless)
    if output.exists() and options.video.exists() and output.samefile(options.video):
        raise SettingsError(f"--output {output} is the video itself; choose another file")
    reader = VideoReader(options.video)
    with create_client(options) as client:
        client.models()
        with replacing(output) as temporary:
            is_padded = _write(client, reader, temporary, options, parameters)
            warning = _copy_sound(options.video, temporary) if form.draw and not form.is_lossless else ""
    print(f"{output}: {reader.count} frames at {reader.rate:g} per second")
    if is_padded:
        print("segclient: encoders need even sizes; the last row or column is repeated", file=sys.stderr)
    if warning:
        print(f"segclient: {warning}", file=sys.stderr)
    if reader.is_damaged:
        print(
            f"segclient: {options.video}: cannot be read beyond frame {reader.count} of {reader.announced}; repair or "
            "re-encode it for the rest",
            file=sys.stderr,
        )
        return 1
    return 0


def _write(
    client: Client, reader: VideoReader, target: Path, options: argparse.Namespace, parameters: SegmentParameters
) -> bool:
    """Segment and write all frames; returns whether they were padded to an even size."""
    form = FORMS[options.form]
    draw = form.draw
    parameters["size"] = "model"  # stretched here, which costs less than sending the larger mask

    def segment(frame: RgbArray) -> tuple[Segmentation, RgbArray | None]:
        result = client.segment(frame, **parameters)
        return result, draw(result, frame, options.alpha) if draw else None

    with ExitStack() as open_files:
        if draw:
            writer = open_files.enter_context(VideoWriter(target, reader.rate, lossless=form.is_lossless))
        else:
            lines = open_files.enter_context(target.open("w"))
        with progress_bar(options.video.name, "frame", reader.announced or None) as bar:
            for number, (result, drawn) in enumerate(_in_order(segment, reader, options.parallel)):
                if drawn is not None:
                    writer.write(drawn)
                else:
                    seconds = round(number / reader.rate, 6)
                    lines.write(json.dumps(frame_summary(result, frame=number, seconds=seconds)) + "\n")
                bar.update()
        return draw is not None and writer.is_padded


def _in_order(
    segment: Callable[[RgbArray], tuple[Segmentation, RgbArray | None]], reader: VideoReader, count: int
) -> Iterator[tuple[Segmentation, RgbArray | None]]:
    for _, future in parallel.in_order(segment, reader, count):
        yield future.result()


def _copy_sound(source: Path, video: Path) -> str:
    """Copy the sound of ``source`` into ``video``; returns a warning where that was not possible."""
    if not audio.is_available():
        return "the sound, if any, was left out: keeping it needs ffmpeg (on Debian: apt install ffmpeg)"
    try:
        audio.copy_sound(source, video)
    except SettingsError as error:
        return str(error)
    return ""
