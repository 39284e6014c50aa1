"""``segclient webcam``, with a video file instead of a camera."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from segclient import Camera, ImageError
from segclient.commands import webcam as webcam_command
from segclient.commands.cli import main
from segclient.video.files import VideoReader
from segstack_testing.waiting import wait_until


@pytest.fixture
def webcam(url: str) -> Callable[..., int]:
    return lambda clip, *options, url=url: main(["webcam", "--camera", str(clip), "--url", url, *map(str, options)])


def test_json_form_prints_a_line_for_each_frame(webcam, make_clip, capsys) -> None:
    assert webcam(make_clip(frames=10, rate=20), "--form", "json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    assert {"car", "tree"} <= {c["name"] for c in lines[0]["classes"]}
    numbers = [line["frame"] for line in lines]
    assert numbers == sorted(set(numbers))


def test_recording_has_the_cameras_size_and_rate(webcam, make_clip, tmp_path) -> None:
    clip = make_clip(frames=10, rate=20)
    assert webcam(clip, "--output", tmp_path / "live.mp4") == 0
    recorded = VideoReader(tmp_path / "live.mp4")
    assert recorded.rate == pytest.approx(20)
    frames = list(recorded)
    assert frames[0].shape == (96, 128, 3)


def test_window_shows_the_overlay_until_a_key_is_pressed(webcam, make_clip, monkeypatch) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(cv2, "namedWindow", lambda *_: None)
    monkeypatch.setattr(cv2, "imshow", lambda _, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("q") if len(shown) == 2 else -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: 1.0)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)
    assert webcam(make_clip(frames=400), "--show", "--alpha", "1") == 0
    assert len(shown) == 2
    assert shown[0][80, 20].tolist() == [60, 60, 220], "BGR, as windows want it"


def test_opencv_without_windows_says_what_to_install(webcam, make_clip, capsys) -> None:
    assert webcam(make_clip(), "--show") == 2
    assert "docs/clients.md" in capsys.readouterr().err


def test_seconds_limit_the_recording(webcam, make_clip, capsys) -> None:
    assert webcam(make_clip(frames=600), "--form", "json", "--seconds", "0.2") == 0
    assert capsys.readouterr().out


def test_invalid_arguments_are_errors(webcam, make_clip, capsys, tmp_path) -> None:
    assert webcam(make_clip()) == 2
    assert "nothing would show the result" in capsys.readouterr().err
    assert webcam(tmp_path / "nowhere.mp4", "--form", "json") == 1
    assert webcam(make_clip(), "--output", "live.webm") == 2


@pytest.mark.stream
def test_stream_resumes_after_a_gateway_restart(webcam, run_gateway, make_clip, tmp_path, submit, monkeypatch) -> None:
    cameras: list[Camera] = []
    monkeypatch.setattr(webcam_command, "Camera", lambda source: cameras.append(Camera(source)) or cameras[-1])
    output, growing = tmp_path / "frames.jsonl", tmp_path / ".tmp-frames.jsonl"
    clip = make_clip(frames=3000, rate=25, size=(32, 32))

    with run_gateway() as running:
        address = str(running.client.base_url)
        live = submit(webcam, clip, "--form", "json", "--output", output, "--patience", 120, url=address)
        wait_until(lambda: growing.exists() and growing.stat().st_size > 0)
    before = growing.stat().st_size
    with run_gateway(port=running.client.base_url.port):
        wait_until(lambda: growing.stat().st_size > before)
        cameras[0].close()
        assert live.result() == 0
    numbers = [json.loads(line)["frame"] for line in output.read_text().splitlines()]
    assert any(later <= earlier for earlier, later in itertools.pairwise(numbers)), "numbers begin again"


class TestCamera:
    def test_newest_frame_is_given_and_others_are_skipped(self, make_clip) -> None:
        with Camera(str(make_clip(frames=400, rate=200))) as camera:
            first = next(camera)
            assert first.shape == (96, 128, 3)
            assert first[80, 20, 0] > 150, "RGB"
        assert sum(1 for _ in camera) <= 1, "closed, it ends"

    def test_video_file_ends(self, make_clip) -> None:
        with Camera(str(make_clip(frames=5, rate=100))) as camera:
            assert 1 <= sum(1 for _ in camera) <= 5

    def test_missing_camera_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="camera 9 cannot be opened"):
            Camera(9)
