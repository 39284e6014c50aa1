"""``segclient image``, and what every command has in common."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from segclient.commands.cli import main
from segstack_testing.gateways import make_api_keys


@pytest.fixture
def folder(tmp_path: Path, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a photo in it."""
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def image(url: str, folder: Path) -> Callable[..., int]:
    return lambda *arguments: main(["image", *arguments, "--url", url])


@pytest.mark.parametrize(
    ("kind", "name", "mode"),
    [("mask", "photo-mask.png", "P"), ("overlay", "photo-overlay.jpg", "RGB"), ("color", "photo-color.png", "RGB")],
)
def test_result_is_written_to_the_working_folder(image, folder, capsys, kind, name, mode) -> None:
    assert image("photo.jpg", "--form", kind) == 0
    with Image.open(folder / name) as result:
        assert (result.size, result.mode) == ((128, 96), mode)
    assert f"{name}: {kind} by shapes version 1 in" in capsys.readouterr().out


def test_json_form_writes_json(image, folder) -> None:
    assert image("photo.jpg", "--form", "json", "--output", "deep/er/photo.json") == 0
    assert json.loads((folder / "deep/er/photo.json").read_text())["width"] == 128


def test_suffix_of_output_selects_the_format(image, folder) -> None:
    assert image("photo.jpg", "--form", "overlay", "--output", "overlay.webp") == 0
    with Image.open(folder / "overlay.webp") as result:
        assert result.format == "WEBP"


def test_image_is_read_from_stdin_and_written_to_stdout(image, jpeg, monkeypatch, capfdbinary) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(jpeg)))
    assert image("-", "--output", "-") == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["nowhere.jpg"], 1, "nowhere.jpg: No such file or directory"),
        (["empty.jpg"], 1, "is empty"),
        (["notes.txt"], 1, "not a JPEG, PNG or WebP"),
        (["photo.jpg", "--output", "mask.jpg"], 3, "a mask is PNG only"),
        (["photo.jpg", "--output", "photo.jpg/mask.png"], 2, "cannot be written"),
        (["photo.jpg", "--model", "a:b"], 2, "expected NAME, NAME:VERSION or NAME@LABEL"),
        (["photo.jpg", "--model", "shapes:9"], 3, "9"),
        (["photo.jpg", "--model", "shapes@stable"], 3, "stable"),
        (["photo.jpg", "--api-key-file", "nowhere"], 2, "expected a file with a key"),
        (["photo.jpg", "--api-key-file", "empty.jpg"], 2, "is empty"),
        (["photo.jpg", "--patience", "-1"], 2, "expected 0 or more"),
    ],
)
def test_error_is_one_sentence_and_an_exit_status(image, folder, capsys, arguments, status, sentence) -> None:
    (folder / "empty.jpg").touch()
    (folder / "notes.txt").write_text("no image")
    assert image(*arguments) == status
    error = capsys.readouterr().err
    assert error.startswith("segclient: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert not list(folder.glob("*mask*"))


def test_unreachable_gateway_is_an_error_at_once(folder, unused_address, capsys) -> None:
    assert main(["image", "photo.jpg", "--url", unused_address, "--patience", "600"]) == 3
    assert "make gateway" in capsys.readouterr().err


def test_api_key_is_read_from_a_file(make_gateway, folder, capsys) -> None:
    (key,) = make_api_keys(folder / "api-keys", "tests")
    (folder / "key").write_text(f"{key}\n")
    url = str(make_gateway(api_keys_file=folder / "api-keys").base_url)
    assert main(["image", "photo.jpg", "--url", url]) == 3
    assert "an API key is needed" in capsys.readouterr().err
    assert main(["image", "photo.jpg", "--url", url, "--api-key-file", "key"]) == 0


def test_segclient_is_installed_as_a_command() -> None:
    text = subprocess.run(
        [Path(sys.executable).with_name("segclient"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "exit status:" in text
    assert all(command in text for command in ("image", "folder", "video", "webcam"))
