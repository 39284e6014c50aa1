"""Copies a video's sound into another with the ``ffmpeg`` program, because OpenCV reads and writes images only."""

import shutil
import subprocess
from pathlib import Path

from segclient.errors import SettingsError

# Unchanged where the container can hold it, else as AAC, which all of ours can.
_CODECS = ("copy", "aac")


def is_available() -> bool:
    """Whether ``ffmpeg`` is installed."""
    return shutil.which("ffmpeg") is not None


def copy_sound(source: Path, video: Path) -> None:
    """Add the sound of ``source``, if it has any, to ``video``, whose frames stay unchanged.

    Raises:
        SettingsError: ffmpeg failed; ``video`` is unchanged.
    """
    ffmpeg = shutil.which("ffmpeg")
    assert ffmpeg
    joined = video.with_name(f".tmp-sound-{video.name}")
    reason = ""
    try:
        for codec in _CODECS:
            command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", _name(video), "-i", _name(source)]
            command += ["-map", "0:v:0", "-map", "1:a?", "-c:v", "copy", "-c:a", codec, _name(joined)]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
            if done.returncode == 0:
                joined.replace(video)
                return
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    finally:
        joined.unlink(missing_ok=True)
    raise SettingsError(f"ffmpeg could not copy the sound of {source} ({reason}); the video is silent")


def _name(path: Path) -> str:
    """Prefixed, so that ffmpeg never takes a file name for an option or a protocol."""
    return f"file:{path}"
