"""Which input goes to which output, planned before anything is read."""

from pathlib import Path

import pytest

from trainer.errors import UserError
from trainer.prediction.inputs import Job, plan
from trainer.prediction.render_style import RenderStyle


@pytest.fixture(autouse=True)
def files(tmp_path, write_files, monkeypatch):
    """Some files, in the current folder."""
    names = ["a.jpg", "b.PNG", "in/c.tif", "in/deep/d.jpeg", "in/film.mov", "in/.hidden.jpg", "in/notes.txt", "e.txt"]
    write_files(tmp_path, dict.fromkeys(names, b""))
    monkeypatch.chdir(tmp_path)


def targets(jobs):
    return {job.source.as_posix(): job.target.as_posix() for job in (*jobs.images, *jobs.videos)}


def test_results_have_the_names_of_their_inputs_in_the_same_folders():
    assert targets(plan(["a.jpg", "b.PNG", "in"], Path("out"), RenderStyle())) == {
        "a.jpg": "out/a.jpg",
        "b.PNG": "out/b.PNG",
        "in/c.tif": "out/c.png",
        "in/deep/d.jpeg": "out/deep/d.jpeg",
        "in/film.mov": "out/film.mp4",
    }


def test_results_inside_an_input_folder_are_no_inputs(write_files, tmp_path):
    write_files(tmp_path, {"in/out/c.png": b"", "in/out/deep/d.jpeg": b""})
    jobs = plan(["in"], Path("in/out"), RenderStyle(), overwrite=True)
    assert targets(jobs) == {
        "in/c.tif": "in/out/c.png",
        "in/deep/d.jpeg": "in/out/deep/d.jpeg",
        "in/film.mov": "in/out/film.mp4",
    }
    with pytest.raises(UserError, match=r"in/out/c\.png and 1 more exist already"):
        plan(["in"], Path("in/out"), RenderStyle())
    assert targets(plan(["in/deep"], Path("in"), RenderStyle())) == {"in/deep/d.jpeg": "in/d.jpeg"}


def test_masks_are_written_as_png():
    assert targets(plan(["a.jpg"], Path("out"), RenderStyle("mask"))) == {"a.jpg": "out/a.png"}


def test_output_of_a_single_input_can_be_a_file():
    assert plan(["a.jpg"], Path("x/y.webp"), RenderStyle()).images == [Job(Path("a.jpg"), Path("x/y.webp"))]
    assert plan(["in/film.mov"], Path("y.avi"), RenderStyle()).videos == [Job(Path("in/film.mov"), Path("y.avi"))]


def test_number_is_a_camera_unless_a_file_has_that_name(write_files, tmp_path):
    jobs = plan(["0"], Path("out"), RenderStyle())
    assert (jobs.camera, jobs.recording) == (0, Path("out/camera_0.mp4"))
    assert plan(["2"], Path("me.avi"), RenderStyle()).recording == Path("me.avi")
    write_files(tmp_path, {"0/a.jpg": b""})
    assert plan(["0"], Path("out"), RenderStyle()).camera is None


def test_existing_results_are_replaced_only_with_overwrite(write_files, tmp_path):
    write_files(tmp_path, {"out/a.jpg": b"", "out/b.PNG": b""})
    with pytest.raises(UserError, match=r"out/a\.jpg and 1 more exist already: name another --output, or add --overwr"):
        plan(["a.jpg", "b.PNG"], Path("out"), RenderStyle())
    assert len(plan(["a.jpg", "b.PNG"], Path("out"), RenderStyle(), overwrite=True).images) == 2


@pytest.mark.parametrize(
    ("inputs", "output", "form", "message"),
    [
        (["x.jpg"], "out", "overlay", "x.jpg: no such file or folder; expected images, videos, folders or a camera's"),
        (["e.txt"], "out", "overlay", "e.txt: its name is neither an image's nor a video's"),
        (["a.jpg", "1"], "out", "overlay", "1: a camera is recorded alone"),
        (["in", "in/c.tif"], "out", "overlay", "in/c.tif and in/c.tif would both become out/c.png"),
        (["a.jpg"], "b.gif", "overlay", "--output b.gif: expected a folder, or a name that ends in .jpeg, .jpg, .png"),
        (["a.jpg"], "b.jpg", "mask", "--output b.jpg: expected a folder, or a name that ends in .png"),
        (["in/film.mov"], "b.mkv", "overlay", "--output b.mkv: expected a folder, or a name that ends in .avi, .mp4"),
        (["in"], "e.txt", "overlay", "--output e.txt is a file: expected a folder"),
        (["in"], "out", "mask", "--form mask: a video's compression changes class ids"),
        (["0"], "out", "mask", "--form mask: a video's compression changes class ids"),
        (["in/deep"], "in/deep", "overlay", "in/deep/d.jpeg is an input: name another --output"),
    ],
)
def test_impossible_plan_is_a_user_error(inputs, output, form, message):
    with pytest.raises(UserError) as error:
        plan(inputs, Path(output), RenderStyle(form), overwrite=True)
    assert str(error.value).startswith(message)


def test_folder_without_images_is_a_user_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: contains no image or video"):
        plan(["empty"], Path("out"), RenderStyle())
