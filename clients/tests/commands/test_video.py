"""``segclient video``: the input's frames, rate and size."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from segclient.commands.cli import main
from segclient.video.files import VideoReader


@pytest.fixture
def video(url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``video(clip, *options)``: the exit status; there is no ffmpeg unless a test puts one on PATH."""
    monkeypatch.setenv("PATH", "")
    return lambda clip, *options: main(["video", str(clip), "--url", url, *map(str, options)])


def read(path: Path) -> list[np.ndarray]:
    return list(VideoReader(path))


def bar(frame: np.ndarray) -> int:
    """The tenths of the width that the white bar of ``make_clip`` is long."""
    return round(10 * float((frame[2].min(1) > 128).mean()))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
@pytest.mark.parametrize(("rate", "size"), [(30000 / 1001, (128, 96)), (12.5, (166, 122))])
def test_frame_count_rate_and_size_equal_the_inputs(video, make_clip, tmp_path, suffix, rate, size) -> None:
    clip, output = make_clip(frames=23, rate=rate, size=size), tmp_path / f"result{suffix}"
    assert video(clip, "--output", output, "--parallel", 3) == 0
    before, after = VideoReader(clip), VideoReader(output)
    assert after.rate == pytest.approx(before.rate, rel=1e-3)
    assert (after.announced, len(list(after))) == (before.announced, len(list(before))) == (23, 23)
    assert read(output)[0].shape == read(clip)[0].shape == (size[1], size[0], 3)


def test_frames_stay_in_order_with_their_overlays(video, make_clip, tmp_path) -> None:
    clip = make_clip(frames=20)
    assert video(clip, "--output", tmp_path / "result.mp4", "--alpha", "0.25", "--parallel", 4) == 0
    results = read(tmp_path / "result.mp4")
    # White is class 1, drawn red: three quarters of the white remain.
    assert [bar(frame) for frame in results] == [number % 10 for number in range(20)]
    left, right = results[0][80, 20], results[0][80, 100]
    assert left == pytest.approx(0.75 * np.array([200, 20, 20]) + 0.25 * np.array([220, 60, 60]), abs=12)
    assert right == pytest.approx(0.75 * np.array([20, 200, 20]) + 0.25 * np.array([60, 180, 90]), abs=12)


def test_odd_size_is_rounded_up_with_a_warning(video, tmp_path, capsys) -> None:
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), np.full((121, 161, 3), (0, 0, 200), np.uint8))
    assert video(still, "--output", tmp_path / "result.mp4") == 0
    assert read(tmp_path / "result.mp4")[0].shape == (122, 162, 3)
    assert "even sizes" in capsys.readouterr().err


def test_mask_video_is_lossless(video, make_clip, tmp_path) -> None:
    assert video(make_clip(), "--form", "mask", "--output", tmp_path / "ids.mkv") == 0
    for frame in read(tmp_path / "ids.mkv"):
        assert (frame[20:, :60] == 1).all()
        assert (frame[20:, 68:] == 2).all()


def test_json_form_writes_a_line_for_each_frame(video, make_clip, tmp_path) -> None:
    assert video(make_clip(frames=5, rate=10), "--form", "json", "--output", tmp_path / "frames.jsonl") == 0
    lines = [json.loads(line) for line in (tmp_path / "frames.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["seconds"]) for line in lines] == [(n, n / 10) for n in range(5)]
    assert {c["name"]: c["area"] for c in lines[0]["classes"]} == pytest.approx({"car": 0.5, "tree": 0.5}, abs=0.02)


def test_missing_ffmpeg_drops_the_sound_with_one_warning(video, make_clip, tmp_path, capsys) -> None:
    assert video(make_clip(), "--output", tmp_path / "result.mp4") == 0
    assert capsys.readouterr().err.count("apt install ffmpeg") == 1


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """``ffmpeg(code)``: put a program of that name on PATH; the file returned gets its arguments."""

    def make(code: str) -> Path:
        program, noted = tmp_path / "bin/ffmpeg", tmp_path / "arguments"
        program.parent.mkdir()
        program.write_text(
            f"#!{sys.executable}\nimport shutil, sys\nopen({str(noted)!r}, 'a').write("
            f"' '.join(sys.argv[1:]) + '\\n')\n{code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        return noted

    return make


def test_ffmpeg_copies_the_sound(video, make_clip, ffmpeg, tmp_path, capsys) -> None:
    noted = ffmpeg("shutil.copy(sys.argv[sys.argv.index('-i') + 1].removeprefix('file:'), sys.argv[-1][5:])")
    clip = make_clip()
    assert video(clip, "--output", tmp_path / "result.mp4") == 0
    (arguments,) = noted.read_text().splitlines()
    assert f"-i file:{clip} -map 0:v:0 -map 1:a? -c:v copy -c:a copy" in arguments
    assert len(read(tmp_path / "result.mp4")) == 12
    assert "ffmpeg" not in capsys.readouterr().err


def test_failing_ffmpeg_keeps_the_frames_without_sound(video, make_clip, ffmpeg, tmp_path, capsys) -> None:
    noted = ffmpeg("sys.exit('no such codec')")
    assert video(make_clip(), "--output", tmp_path / "result.mp4") == 0
    assert [line.split()[-2] for line in noted.read_text().splitlines()] == ["copy", "aac"]
    assert "could not copy the sound" in (error := capsys.readouterr().err)
    assert "no such codec" in error
    assert len(read(tmp_path / "result.mp4")) == 12


def test_damaged_video_is_segmented_up_to_the_damage(video, make_clip, tmp_path, capsys) -> None:
    clip = make_clip("clip.avi", frames=40)
    data = clip.read_bytes()
    whole = data.index(b"idx1")
    clip.write_bytes(data[: whole // 2] + bytes(whole - whole // 2) + data[whole:])
    assert video(clip, "--output", tmp_path / "result.mp4") == 1
    assert "cannot be read beyond frame" in capsys.readouterr().err
    assert 0 < len(read(tmp_path / "result.mp4")) < 40


def test_failed_run_leaves_no_partial_output(video, make_clip, serving, tmp_path, capsys) -> None:
    def fail(request, context) -> None:
        if len(serving.predictions) > 5:
            context.abort(3, "cannot be computed")

    serving.before_predict = fail
    clip = make_clip()
    assert video(clip, "--output", tmp_path / "result.mp4") == 3
    assert list(tmp_path.glob("*.mp4")) == [clip]
    assert list(tmp_path.glob(".tmp*")) == []
    assert "segclient: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["--output", "result.webm"], 2, "expected a video file ending in .mp4"),
        (["--form", "mask", "--output", "ids.mp4"], 2, ".mkv or .avi"),
        (["--alpha", "2"], 2, "--alpha 2: expected 0 to 1"),
        (["--parallel", "0"], 2, "expected 1 or more"),
        (["--model", "road"], 3, "model 'road' not found"),
    ],
)
def test_invalid_options_are_errors(video, make_clip, tmp_path, monkeypatch, capsys, options, status, sentence) -> None:
    monkeypatch.chdir(tmp_path)
    assert video(make_clip(), *options) == status
    assert sentence in capsys.readouterr().err


def test_file_that_is_no_video_is_an_error(video, tmp_path, capsys) -> None:
    (tmp_path / "notes.txt").write_text("no video")
    assert video(tmp_path / "notes.txt") == 1
    assert "cannot be opened as a video" in capsys.readouterr().err
    assert video(tmp_path / "nowhere.mp4") == 1
    clip = tmp_path / "clip.mp4"
    clip.touch()
    assert video(clip, "--output", clip) == 2
