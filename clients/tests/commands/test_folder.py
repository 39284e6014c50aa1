"""``segclient folder``: each image once, even after an interruption."""

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from segclient.commands.cli import main
from segstack_testing.waiting import wait_until


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos of the same name in different sub-folders, and a third."""
    return fill(tmp_path / "photos", ["one.png", "kitchen/one.png", "kitchen/shelf/two.png"])


def fill(folder: Path, names: list[str]) -> Path:
    """PNGs of 8x8 pixels, red; the blue channel is each one's number."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((8, 8, 3), (number, 0, 200), np.uint8))
    return folder


@pytest.fixture
def folder(url: str, tmp_path: Path) -> Callable[..., int]:
    """``folder(photos, *options)``: the exit status; results are in ``tmp_path / "results"``."""
    return lambda source, *options, output=tmp_path / "results", url=url: main(
        ["folder", str(source), "--output", str(output), "--url", url, *options]
    )


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[], list[dict]]:
    def read() -> list[dict]:
        return [json.loads(line) for line in (tmp_path / "results/results.jsonl").read_text().splitlines()]

    return read


def outputs(results: Path) -> list[str]:
    files = (path for path in results.rglob("*") if path.is_file() and not path.name.startswith("."))
    return sorted(str(path.relative_to(results)) for path in files)


def test_results_mirror_the_folders_and_each_image_has_a_line(photos, folder, lines, tmp_path, capsys) -> None:
    assert folder(photos) == 0
    assert outputs(tmp_path / "results") == ["kitchen/one.png", "kitchen/shelf/two.png", "one.png", "results.jsonl"]
    assert sorted(line["file"] for line in lines()) == ["kitchen/one.png", "kitchen/shelf/two.png", "one.png"]
    assert all(line["output"] == line["file"] and line["version"] == 1 for line in lines())
    assert "3 images done, 0 failed" in capsys.readouterr().out


def test_killed_run_resumes_and_segments_each_image_once(url, folder, lines, serving, gate, tmp_path) -> None:
    names = [f"{number // 10}/{number}.png" for number in range(40)]
    photos = fill(tmp_path / "photos", names)
    requests: Counter[int] = Counter()

    def count(request, context) -> None:
        if request.model_spec.signature_name != "describe":
            requests[request.inputs["image"].tensor_content[2]] += 1
            if sum(requests.values()) > 12:
                gate.wait(60)

    serving.before_predict = count
    results = tmp_path / "results"
    command = [sys.executable, "-m", "segclient", "folder", photos, "--output", results, "--url", url]
    with subprocess.Popen([*map(str, command), "--parallel", "3"], stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: (results / "results.jsonl").exists() and len(lines()) >= 10)
        os.kill(process.pid, signal.SIGKILL)
    gate.set()
    before = {line["file"]: (results / line["output"]).stat().st_mtime_ns for line in lines()}
    with (results / "results.jsonl").open("a") as journal:
        journal.write('{"file": "half a li')  # as a kill in the middle of writing leaves it
    assert folder(photos) == 0
    assert sorted(line["file"] for line in lines()) == sorted(names)
    assert outputs(results) == sorted([*names, "results.jsonl"])
    for name, changed in before.items():
        assert requests[names.index(name)] == 1
        assert (results / name).stat().st_mtime_ns == changed
    assert sum(requests.values()) <= 40 + 3, "those under way when it was killed, and no others, were requested twice"


def test_output_missing_from_the_log_is_not_made_again(photos, folder, lines, serving, tmp_path) -> None:
    assert folder(photos) == 0
    journal = tmp_path / "results/results.jsonl"
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:-1]))
    before = len(serving.predictions)
    assert folder(photos) == 0
    assert len(serving.predictions) == before
    assert len(lines()) == 3


def test_retry_failed_repeats_only_failed_images(photos, folder, lines, serving, tmp_path, capsys) -> None:
    (photos / "broken.jpg").write_bytes(b"GIF89a")
    (photos / "empty.jpg").touch()
    assert folder(photos) == 1
    output = capsys.readouterr()
    assert "3 images done, 2 failed" in output.out
    assert re.search(r"segclient: broken\.jpg: .*JPEG, PNG or WebP", output.err)
    assert "--retry-failed" in output.err
    assert folder(photos) == 1, "they are not tried again unasked"

    cv2.imwrite(str(photos / "broken.jpg"), np.zeros((8, 8, 3), np.uint8))
    before = len(serving.predictions)
    assert folder(photos, "--retry-failed") == 1
    assert len(serving.predictions) == before + 1
    (photos / "empty.jpg").unlink()
    cv2.imwrite(str(photos / "empty.jpg"), np.zeros((8, 8, 3), np.uint8))
    assert folder(photos, "--retry-failed") == 0
    assert len(outputs(tmp_path / "results")) == 5 + 1


def test_json_form_writes_only_results_jsonl(photos, folder, lines, tmp_path) -> None:
    assert folder(photos, "--form", "json") == 0
    assert outputs(tmp_path / "results") == ["results.jsonl"]
    assert all([c["name"] for c in line["classes"]] == ["car"] and line["width"] == 8 for line in lines())


def test_overlays_are_jpegs_and_equal_stems_keep_their_suffixes(photos, folder, tmp_path) -> None:
    cv2.imwrite(str(photos / "one.jpg"), np.zeros((8, 8, 3), np.uint8))
    assert folder(photos, "--form", "overlay", "--alpha", "0.3") == 0
    assert outputs(tmp_path / "results")[-3:] == ["one.jpg.jpg", "one.png.jpg", "results.jsonl"]


def test_output_folder_of_other_options_or_other_files_is_refused(photos, folder, tmp_path, capsys) -> None:
    assert folder(photos) == 0
    assert folder(photos, "--form", "color") == 2
    assert "holds results made with" in capsys.readouterr().err
    assert folder(photos, output=photos) == 2
    (tmp_path / "else").mkdir()
    (tmp_path / "else/thesis.txt").touch()
    assert folder(photos, output=tmp_path / "else") == 2
    assert "holds other files" in capsys.readouterr().err


def test_second_run_into_the_same_folder_is_refused(photos, folder, tmp_path, capsys) -> None:
    assert folder(photos) == 0
    with (tmp_path / "results/results.jsonl").open("a") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        assert folder(photos) == 2
    assert "another run is writing to it" in capsys.readouterr().err


def test_without_flock_only_the_folder_command_is_unavailable(url, photos, tmp_path) -> None:
    def run(*words: object) -> tuple[int, str]:
        without = "import sys; sys.modules['fcntl'] = None; from segclient.__main__ import run; sys.exit(run())"
        command = [sys.executable, "-c", without, *map(str, words), "--url", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stderr

    status, error = run("folder", photos, "--output", tmp_path / "results")
    assert (status, error.count("\n")) == (2, 1)
    assert "which Windows lacks: run it under WSL" in error
    assert not (tmp_path / "results").exists()
    assert run("image", photos / "one.png", "--output", tmp_path / "one.png") == (0, "")


@pytest.mark.parametrize("option", [("--model", "road"), ("--classes", "cra")])
def test_error_that_would_fail_every_image_ends_the_run(photos, folder, lines, option, capsys) -> None:
    assert folder(photos, *option) == 3
    assert lines() == []
    assert "segclient: " in capsys.readouterr().err


@pytest.mark.stream
def test_lost_gateway_ends_the_run_without_failed_images(tmp_path, folder, lines, run_gateway, serving, capsys) -> None:
    photos = fill(tmp_path / "photos", [f"{number}.png" for number in range(30)])
    with run_gateway() as running:
        address = str(running.client.base_url)

        def end(request, context) -> None:
            if len(serving.predictions) > 8:
                running.process.kill()

        serving.before_predict = end
        assert folder(photos, "--patience", "0.1", url=address) == 3
    assert "segclient: " in capsys.readouterr().err
    assert 0 < len(lines()) < 30
    serving.before_predict = lambda request, context: None
    assert folder(photos) == 0
    assert sorted(line["file"] for line in lines()) == sorted(f"{number}.png" for number in range(30))


def test_empty_folder_is_an_error(folder, tmp_path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert folder(tmp_path / "empty") == 1
    assert "no JPEG, PNG or WebP file" in capsys.readouterr().err
