"""docs/clients.md: its commands and its Python run as printed."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from segclient import Camera
from segclient.commands import cli

PAGE = (Path(__file__).parents[2] / "docs/clients.md").read_text()
COMMANDS = [shlex.split(line, comments=True) for line in re.findall(r"^segclient .*", PAGE, re.MULTILINE)]
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, jpeg: bytes, make_clip, url, monkeypatch) -> Path:
    """The working folder, with a photo, a folder of photos and a clip, which is the camera as well."""
    clip = make_clip(frames=8)
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.jpg").write_bytes(jpeg)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGCLIENT_URL", url)
    monkeypatch.setattr("segclient.commands.webcam.Camera", lambda number: Camera(str(clip)))
    monkeypatch.setattr("segclient.Camera", lambda number: Camera(str(clip)))
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_documented_command_runs(folder: Path, command: list[str]) -> None:
    assert cli.main(command[1:]) == 0


def test_every_command_is_documented() -> None:
    assert [command[1] for command in COMMANDS] == ["image", "folder", "video", "webcam"]


@pytest.mark.parametrize("program", PROGRAMS, ids=["image", "camera", "many"])
def test_documented_program_runs(folder: Path, url: str, program: str, monkeypatch, capsys) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: -1)
    exec(compile(program.replace("http://localhost:8000", url), "docs/clients.md", "exec"), {})
    if "imshow" in program:
        assert shown
        assert shown[0].shape == (96, 128, 3)
        assert len(program.strip().splitlines()) <= 10
    else:
        assert "'car'" in capsys.readouterr().out


def test_documented_exit_statuses_are_those_of_the_command() -> None:
    statuses = [int(status) for status in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert statuses == [cli.DONE, cli.SOME_FAILED, cli.UNUSABLE, cli.NO_GATEWAY, cli.STOPPED]
