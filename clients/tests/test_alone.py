"""segclient in an environment with its own dependencies only, and with a real ffmpeg."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
UV = Path(sys.executable).with_name("uv")

pytestmark = [pytest.mark.other_python, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """segclient with the locked versions, and the ffmpeg program that imageio-ffmpeg contains."""
    environment = tmp_path_factory.mktemp("client") / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    install = [UV, "pip", "install", "--quiet", "--python", environment]
    run(*install, "--constraints", ROOT / "requirements-dev.lock", ROOT / "clients")
    run(*install, "--no-deps", "--require-hashes", "--requirements", HERE / "ffmpeg/requirements.lock")
    (program,) = environment.glob("lib/python*/site-packages/imageio_ffmpeg/binaries/ffmpeg-*")
    (environment / "bin/ffmpeg").symlink_to(program)
    return environment


def run(*command: object, **variables: str) -> str:
    """A command's standard output and error together, regardless of its exit status."""
    words = [str(word) for word in command]
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", **variables}
    return subprocess.run(words, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


@pytest.mark.parametrize("module", ["tensorflow", "grpc", "fastapi"])
def test_services_are_not_installed(environment: Path, module: str) -> None:
    code = f"import importlib.util, segclient; print(importlib.util.find_spec('{module}'))"
    assert run(environment / "bin/python", "-c", code) == "None\n"


def test_version_is_printed(environment: Path) -> None:
    assert run(environment / "bin/segclient", "--version") == f"segclient {version('segclient')}\n"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_video_keeps_its_sound(environment: Path, url: str, tmp_path: Path, suffix: str) -> None:
    ffmpeg, clip, output = environment / "bin/ffmpeg", tmp_path / "clip.mp4", tmp_path / f"overlay{suffix}"
    frames, sound = "testsrc=size=160x120:rate=30000/1001:duration=1", "sine=frequency=440:duration=1"
    run(ffmpeg, "-f", "lavfi", "-i", frames, "-f", "lavfi", "-i", sound, "-c:v", "mpeg4", "-c:a", "aac", clip)
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    output_text = run(environment / "bin/segclient", "video", clip, "--output", output, SEGCLIENT_URL=url, PATH=path)
    assert f"{output}: 30 frames at 29.97 per second" in output_text
    assert "segclient: " not in output_text
    described = run(ffmpeg, "-hide_banner", "-i", output)
    assert re.search(r"Video: .*160x120.*29\.97 fps", described), described
    assert re.search(r"Audio: aac.*44100 Hz", described), described
