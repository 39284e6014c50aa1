"""A video's sound, carried over to another by the ``ffmpeg`` program: OpenCV knows pictures alone."""

import shutil
import subprocess
from pathlib import Path

from segclient.errors import SettingsError

# As it is; and where the container cannot hold it so, as AAC, which all of ours can.
_CODECS = ("copy", "aac")


def is_there() -> bool:
    """Whether ``ffmpeg`` is installed."""
    return shutil.which("ffmpeg") is not None


def carry_over(source: Path, video: Path) -> None:
    """Add the sound of ``source``, if it has any, to ``video``, whose pictures stay as they are.

    Raises:
        SettingsError: ffmpeg cannot; ``video`` is as it was.
    """
    ffmpeg = shutil.which("ffmpeg")
    assert ffmpeg
    joined = video.with_name(f".tmp-sound-{video.name}")
    said = ""
    try:
        for codec in _CODECS:
            command = [ffmpeg, "-nostdin", "-v", "error", "-y", "-i", _name(video), "-i", _name(source)]
            command += ["-map", "0:v:0", "-map", "1:a?", "-c:v", "copy", "-c:a", codec, _name(joined)]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
            if done.returncode == 0:
                joined.replace(video)
                return
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    finally:
        joined.unlink(missing_ok=True)
    raise SettingsError(f"ffmpeg could not carry the sound of {source} over ({said}); the video is silent")


def _name(path: Path) -> str:
    """Never an option or a protocol, however the file is called."""
    return f"file:{path}"
