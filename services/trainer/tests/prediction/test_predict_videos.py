"""Videos keep rate, size and every frame; a camera's recording is as long as it took."""

import cv2
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.inference.tta import PLAIN
from trainer.prediction.inputs import Job
from trainer.prediction.predict_videos import camera, predict_video, record
from trainer.prediction.render_style import RenderStyle


def read(path):
    """Rate, and every frame."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while (found := capture.read())[0]:
        frames.append(found[1][..., ::-1])
    return capture.get(cv2.CAP_PROP_FPS), frames


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_rate_size_and_number_of_frames_are_kept(bright, write_video, moving, tmp_path, suffix):
    job = Job(write_video(tmp_path / "film.avi", moving), tmp_path / f"out/film{suffix}")
    assert predict_video(bright, job, RenderStyle("color"), PLAIN, batch_size=8) is None
    rate, frames = read(job.target)
    assert rate == 12.5
    assert len(frames) == 20
    for number, frame in enumerate(frames):
        assert frame.shape == (64, 96, 3)
        red = frame[32, :, 0] > 100
        assert abs(np.flatnonzero(red).mean() - (4 * number + 3.5)) < 1.5
    assert [p.name for p in job.target.parent.iterdir()] == [job.target.name]


def test_odd_sizes_are_padded_to_even(bright, write_video, moving, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "trainer.prediction.predict_videos._frames", lambda _: iter([frame[:63, :95] for frame in moving])
    )
    job = Job(write_video(tmp_path / "film.avi", moving), tmp_path / "odd.mp4")
    assert predict_video(bright, job, RenderStyle(), PLAIN) is None
    assert {frame.shape for frame in read(job.target)[1]} == {(64, 96, 3)}


def test_frames_before_the_damage_of_a_video_are_kept(bright, write_video, moving, tmp_path):
    whole = write_video(tmp_path / "film.avi", moving).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    job = Job(tmp_path / "cut.avi", tmp_path / "out/cut.mp4")
    fault = predict_video(bright, job, RenderStyle(), PLAIN)
    assert fault.startswith(f"{job.source}: cannot be read beyond frame ")
    assert fault.endswith(f"; the frames before are in {job.target}")
    assert 5 < len(read(job.target)[1]) < 20


def test_file_that_is_no_video_writes_no_result(bright, tmp_path, write_files):
    write_files(tmp_path, {"film.mp4": b"no film"})
    job = Job(tmp_path / "film.mp4", tmp_path / "out/film.mp4")
    assert predict_video(bright, job, RenderStyle(), PLAIN) == f"{job.source}: cannot be opened as a video"
    assert not job.target.exists()


class TestCamera:
    """Simulated by a video file, whose frames are never waited for."""

    @pytest.fixture
    def capture(self, write_video, moving, tmp_path):
        return cv2.VideoCapture(str(write_video(tmp_path / "camera.avi", moving, rate=10)), cv2.CAP_FFMPEG)

    @pytest.fixture
    def clock(self):
        """Advances by 0.25 s with each frame, the time of 2.5 frames of the camera."""
        return iter(np.arange(0, 100, 0.25)).__next__

    def test_recording_is_as_long_as_it_took(self, bright, capture, clock, tmp_path):
        assert record(bright, capture, tmp_path / "seen.mp4", RenderStyle(), PLAIN, seconds=5, clock=clock) == 20
        rate, frames = read(tmp_path / "seen.mp4")
        assert len(frames) / rate == pytest.approx(20 * 0.25, abs=0.2)

    def test_recording_ends_after_the_given_seconds(self, bright, capture, clock, tmp_path):
        assert record(bright, capture, tmp_path / "seen.mp4", RenderStyle(), PLAIN, seconds=2, clock=clock) == 8

    def test_camera_that_stops_is_a_user_error_and_frames_are_kept(self, bright, capture, clock, tmp_path):
        with pytest.raises(UserError, match=r"the camera stopped after 20 frames, which are in .*seen\.mp4"):
            record(bright, capture, tmp_path / "seen.mp4", RenderStyle(), PLAIN, seconds=60, clock=clock)
        rate, frames = read(tmp_path / "seen.mp4")
        assert len(frames) / rate == pytest.approx(20 * 0.25, abs=0.2)

    def test_interrupt_ends_the_recording_with_a_readable_file(self, bright, capture, tmp_path):
        times = iter(np.arange(0, 100, 0.1))

        def clock():
            now = next(times)
            if now > 1:
                raise KeyboardInterrupt
            return now

        frames = record(bright, capture, tmp_path / "seen.mp4", RenderStyle(), PLAIN, clock=clock)
        assert len(read(tmp_path / "seen.mp4")[1]) == pytest.approx(frames, abs=1)

    def test_camera_without_frames_is_a_user_error(self, bright, capture, tmp_path):
        while capture.grab():
            pass
        with pytest.raises(UserError, match="the camera gave no frame"):
            record(bright, capture, tmp_path / "seen.mp4", RenderStyle(), PLAIN)

    def test_missing_camera_is_a_user_error(self):
        with pytest.raises(UserError, match="camera 63 cannot be opened: is it plugged in"), camera(63):
            pass
