"""Videos: every frame, at the video's own rate and size; and what a camera sees, for as long as it took."""

import cv2
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.inference.test_time_augmentation import PLAIN
from trainer.prediction.inputs import Job
from trainer.prediction.look import Look
from trainer.prediction.videos import camera, predict_video, record


def read(path):
    """Rate, and every frame."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while (found := capture.read())[0]:
        frames.append(found[1][..., ::-1])
    return capture.get(cv2.CAP_PROP_FPS), frames


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_rate_size_and_every_frame_stay(bright, write_video, moving, tmp_path, suffix):
    job = Job(write_video(tmp_path / "film.avi", moving), tmp_path / f"out/film{suffix}")
    assert predict_video(bright, job, Look("color"), PLAIN, batch_size=8) is None
    rate, frames = read(job.target)
    assert rate == 12.5
    assert len(frames) == 20
    for number, frame in enumerate(frames):
        assert frame.shape == (64, 96, 3)
        red = frame[32, :, 0] > 100
        assert abs(np.flatnonzero(red).mean() - (4 * number + 3.5)) < 1.5
    assert [p.name for p in job.target.parent.iterdir()] == [job.target.name]


def test_odd_sizes_grow_by_the_pixel_that_codecs_want(bright, write_video, moving, tmp_path, monkeypatch):
    monkeypatch.setattr("trainer.prediction.videos._frames", lambda _: iter([frame[:63, :95] for frame in moving]))
    job = Job(write_video(tmp_path / "film.avi", moving), tmp_path / "odd.mp4")
    assert predict_video(bright, job, Look(), PLAIN) is None
    assert {frame.shape for frame in read(job.target)[1]} == {(64, 96, 3)}


def test_a_video_that_breaks_off_keeps_what_came_before(bright, write_video, moving, tmp_path):
    whole = write_video(tmp_path / "film.avi", moving).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    job = Job(tmp_path / "cut.avi", tmp_path / "out/cut.mp4")
    fault = predict_video(bright, job, Look(), PLAIN)
    assert fault.startswith(f"{job.source}: cannot be read beyond frame ")
    assert fault.endswith(f"; what came before is in {job.target}")
    assert 5 < len(read(job.target)[1]) < 20


def test_what_is_no_video_leaves_nothing(bright, tmp_path, write_files):
    write_files(tmp_path, {"film.mp4": b"no film"})
    job = Job(tmp_path / "film.mp4", tmp_path / "out/film.mp4")
    assert predict_video(bright, job, Look(), PLAIN) == f"{job.source}: cannot be opened as a video"
    assert not job.target.exists()


class TestACamera:
    """Played by a video file, whose frames come as fast as they are asked for."""

    @pytest.fixture
    def capture(self, write_video, moving, tmp_path):
        return cv2.VideoCapture(str(write_video(tmp_path / "camera.avi", moving, rate=10)), cv2.CAP_FFMPEG)

    @pytest.fixture
    def clock(self):
        """Goes on by 0.25 s with each frame, which is two and a half of the camera's."""
        return iter(np.arange(0, 100, 0.25)).__next__

    def test_is_recorded_for_as_long_as_it_was_seen(self, bright, capture, clock, tmp_path):
        assert record(bright, capture, tmp_path / "seen.mp4", Look(), PLAIN, seconds=5, clock=clock) == 20
        rate, frames = read(tmp_path / "seen.mp4")
        assert len(frames) / rate == pytest.approx(20 * 0.25, abs=0.2)

    def test_ends_after_the_seconds_asked_for(self, bright, capture, clock, tmp_path):
        assert record(bright, capture, tmp_path / "seen.mp4", Look(), PLAIN, seconds=2, clock=clock) == 8

    def test_that_is_unplugged_is_said_and_what_came_before_is_kept(self, bright, capture, clock, tmp_path):
        with pytest.raises(UserError, match=r"gave no more pictures after 20: what came before is in .*seen\.mp4"):
            record(bright, capture, tmp_path / "seen.mp4", Look(), PLAIN, seconds=60, clock=clock)
        rate, frames = read(tmp_path / "seen.mp4")
        assert len(frames) / rate == pytest.approx(20 * 0.25, abs=0.2)

    def test_ends_with_a_whole_file_when_a_person_interrupts(self, bright, capture, tmp_path):
        times = iter(np.arange(0, 100, 0.1))

        def clock():
            now = next(times)
            if now > 1:
                raise KeyboardInterrupt
            return now

        frames = record(bright, capture, tmp_path / "seen.mp4", Look(), PLAIN, clock=clock)
        assert len(read(tmp_path / "seen.mp4")[1]) == pytest.approx(frames, abs=1)

    def test_that_gives_nothing_is_said(self, bright, capture, tmp_path):
        while capture.grab():
            pass
        with pytest.raises(UserError, match="the camera gave no picture"):
            record(bright, capture, tmp_path / "seen.mp4", Look(), PLAIN)

    def test_that_is_not_there_is_said(self):
        with pytest.raises(UserError, match="camera 63 cannot be opened: is it plugged in"), camera(63):
            pass
