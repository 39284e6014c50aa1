"""Frames of real videos: which are kept, their names, and the errors about broken videos."""

import math
import re

import cv2
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.sources.frames import GROUP_PATTERN, FrameChoice, extract_frames

HEIGHT, WIDTH, RATE, COUNT = 48, 64, 10, 30


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Three seconds at 10 frames a second: frame n has the grey level 8 n, and a white corner above left."""
    path = tmp_path_factory.mktemp("videos") / "day [1].avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, (WIDTH, HEIGHT))
    for number in range(COUNT):
        frame = np.full((HEIGHT, WIDTH, 3), 8 * number, np.uint8)
        frame[:16, :16] = 255
        writer.write(frame)
    writer.release()
    return path


@pytest.fixture
def frames(video, tmp_path):
    """``frames(every=10)``: the indices of the frames that were written."""

    def extract(path=video, **choice):
        extract_frames([path], tmp_path / "out", FrameChoice(**choice))
        return [int(p.stem[-6:]) for p in sorted((tmp_path / "out").iterdir())]

    return extract


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, [0, 10, 20]),  # one a second
        ({"rate": 2}, [0, 5, 10, 15, 20, 25]),
        ({"rate": 3}, [0, 4, 7, 10, 14, 17, 20, 24, 27]),
        ({"rate": 100}, list(range(30))),
        ({"every": 7}, [0, 7, 14, 21, 28]),
        ({"every": 7, "start": 1.0, "end": 2.5}, [14, 21]),
        ({"start": 1.05, "end": 2.0}, [11]),
        ({"start": 0.5}, [5, 15, 25]),
    ],
)
def test_frames_are_chosen_by_rate_number_and_time(frames, choice, expected):
    kept = frames(**choice)
    if choice.get("rate") == 3:  # a third of a second falls between two frames: either is right
        assert np.abs(np.array(kept) - expected).max() <= 1
    else:
        assert kept == expected


def test_frames_have_the_video_s_name_and_pixels(video, tmp_path):
    (report,) = extract_frames([video], tmp_path, FrameChoice(every=10), "png")
    assert (report.video, report.written, report.similar) == (video, 3, 0)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["day [1]_000000.png", "day [1]_000010.png", "day [1]_000020.png"]
    for number, name in zip((0, 10, 20), names, strict=True):
        frame = cv2.imread(str(tmp_path / name))
        assert frame.shape == (HEIGHT, WIDTH, 3)
        assert np.abs(frame[24:, 24:].astype(int) - 8 * number).max() <= 3


def test_group_pattern_finds_the_video(frames, tmp_path):
    frames(every=15)
    assert {re.search(GROUP_PATTERN, p.stem).group(1) for p in (tmp_path / "out").iterdir()} == {"day [1]"}


def test_quality_changes_the_size_of_jpegs(video, tmp_path):
    sizes = {}
    for quality in (10, 95):
        extract_frames([video], tmp_path / str(quality), FrameChoice(every=30), "jpg", quality)
        (file,) = (tmp_path / str(quality)).iterdir()
        sizes[quality] = file.stat().st_size
    assert sizes[10] < sizes[95]


def test_similar_frames_are_skipped(video, tmp_path):
    (report,) = extract_frames([video], tmp_path, FrameChoice(every=1, min_difference=30))
    kept = sorted(int(p.stem[-6:]) for p in tmp_path.iterdir())
    assert (report.written, report.similar) == (len(kept), COUNT - len(kept))
    assert set(np.diff(kept)) <= {4, 5, 6}  # 8 grey levels a frame, but not in the corner


def test_rotated_video_gives_upright_frames(tmp_path):
    """A telephone held upright: the file's matrix (ISO 14496-12, tkhd) rotates the image by 90 degrees."""
    path = tmp_path / "phone.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE, (WIDTH, HEIGHT))
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[:16, :16] = 255
    writer.write(frame)
    writer.release()
    data = path.read_bytes()
    matrix = data.index(b"tkhd") + 44
    quarter = b"".join(n.to_bytes(4, signed=True) for n in (0, 1 << 16, 0, -1 << 16, 0, 0, HEIGHT << 16, 0, 1 << 30))
    path.write_bytes(data[:matrix] + quarter + data[matrix + len(quarter) :])

    extract_frames([path], tmp_path / "out", FrameChoice())
    upright = cv2.imread(str(tmp_path / "out/phone_000000.jpg"))
    assert upright.shape == (WIDTH, HEIGHT, 3)
    assert upright[:14, -14:].min() > 200  # above left has become above right
    assert upright[:14, :14].max() < 60


class TestErrors:
    def test_truncated_video_keeps_the_frames_before_the_damage(self, video, tmp_path):
        broken = tmp_path / "broken.avi"
        data = video.read_bytes()
        broken.write_bytes(data[: len(data) * 2 // 3])
        message = r"broken\.avi: cannot be read beyond frame (\d+) of 30; the (\d+) frames before it are kept in "
        with pytest.raises(UserError, match=message) as refusal:
            extract_frames([broken], tmp_path / "out", FrameChoice(every=1))
        kept = list((tmp_path / "out").iterdir())
        assert re.search(message, str(refusal.value)).groups() == (str(len(kept)),) * 2
        assert 1 < len(kept) < COUNT
        assert all(cv2.imread(str(file)) is not None for file in kept)

    def test_file_that_is_not_a_video(self, tmp_path):
        (tmp_path / "notes.mp4").write_text("not a video")
        with pytest.raises(UserError, match=r"notes\.mp4: cannot be opened as a video; no frame was written"):
            extract_frames([tmp_path / "notes.mp4"], tmp_path / "out", FrameChoice())
        assert not (tmp_path / "out").exists()

    def test_nothing_is_overwritten(self, frames, video, tmp_path):
        frames(every=10)
        before = {p: p.read_bytes() for p in (tmp_path / "out").iterdir()}
        with pytest.raises(UserError, match=r"day \[1\]_000000\.jpg exists already: choose another --output"):
            extract_frames([video], tmp_path / "out", FrameChoice(every=15), "png")
        assert {p: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before

    def test_output_is_a_file(self, video, tmp_path):
        (tmp_path / "out").write_text("mine")
        with pytest.raises(UserError, match=r"--output .*out: is a file; expected the name of a folder"):
            extract_frames([video], tmp_path / "out", FrameChoice())
        assert (tmp_path / "out").read_text() == "mine"

    def test_two_videos_of_the_same_name(self, video, tmp_path):
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / video.name).write_bytes(video.read_bytes())
        with pytest.raises(UserError, match="would give frames of the same name: extract them to two folders"):
            extract_frames([video, tmp_path / "b" / video.name], tmp_path / "out", FrameChoice())

    def test_no_such_video(self, video, tmp_path):
        with pytest.raises(UserError, match=r"nowhere\.mp4: no such file; expected a video"):
            extract_frames([video, tmp_path / "nowhere.mp4"], tmp_path / "out", FrameChoice())
        assert not (tmp_path / "out").exists()

    def test_time_after_the_video_s_end(self, frames):
        with pytest.raises(UserError, match=r"has no frame between --start and --end"):
            frames(start=60)

    @pytest.mark.parametrize(
        ("choice", "message"),
        [
            ({"every": 0}, "--every 0: expected 1 or more"),
            ({"rate": 0}, "--fps 0: expected more than 0 frames per second"),
            ({"rate": math.nan}, "--fps nan: expected more than 0 frames per second"),
            ({"min_difference": -1}, "--min-difference -1: expected 0 to 255 grey levels"),
            ({"min_difference": math.nan}, "--min-difference nan: expected 0 to 255 grey levels"),
            ({"start": -1}, "--start -1: expected 0 seconds or later"),
            ({"start": 3, "end": 2}, "--end 2: expected a time after --start, which is 3 seconds"),
        ],
    )
    def test_invalid_choice(self, choice, message):
        with pytest.raises(UserError, match=message):
            FrameChoice(**choice)

    @pytest.mark.parametrize("quality", [0, 101])
    def test_quality_out_of_range(self, video, tmp_path, quality):
        with pytest.raises(UserError, match=f"--quality {quality}: expected 1 to 100"):
            extract_frames([video], tmp_path, FrameChoice(), "jpg", quality)
