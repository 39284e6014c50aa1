"""What goes where, settled before anything is read."""

from pathlib import Path

import pytest

from trainer.errors import UserError
from trainer.prediction.inputs import Job, plan
from trainer.prediction.look import Look


@pytest.fixture(autouse=True)
def files(tmp_path, write_files, monkeypatch):
    """Some files, in the current folder."""
    names = ["a.jpg", "b.PNG", "in/c.tif", "in/deep/d.jpeg", "in/film.mov", "in/.hidden.jpg", "in/notes.txt", "e.txt"]
    write_files(tmp_path, dict.fromkeys(names, b""))
    monkeypatch.chdir(tmp_path)


def targets(jobs):
    return {job.source.as_posix(): job.target.as_posix() for job in (*jobs.images, *jobs.videos)}


def test_results_take_the_names_of_their_sources_and_folders_keep_their_order():
    assert targets(plan(["a.jpg", "b.PNG", "in"], Path("out"), Look())) == {
        "a.jpg": "out/a.jpg",
        "b.PNG": "out/b.PNG",
        "in/c.tif": "out/c.png",
        "in/deep/d.jpeg": "out/deep/d.jpeg",
        "in/film.mov": "out/film.mp4",
    }


def test_results_inside_the_folder_that_is_searched_are_no_inputs(write_files, tmp_path):
    write_files(tmp_path, {"in/out/c.png": b"", "in/out/deep/d.jpeg": b""})
    jobs = plan(["in"], Path("in/out"), Look(), overwrite=True)
    assert targets(jobs) == {
        "in/c.tif": "in/out/c.png",
        "in/deep/d.jpeg": "in/out/deep/d.jpeg",
        "in/film.mov": "in/out/film.mp4",
    }
    with pytest.raises(UserError, match=r"in/out/c\.png and 1 more exist already"):
        plan(["in"], Path("in/out"), Look())
    assert targets(plan(["in/deep"], Path("in"), Look())) == {"in/deep/d.jpeg": "in/d.jpeg"}


def test_ids_and_flat_colours_become_png():
    assert targets(plan(["a.jpg"], Path("out"), Look("mask"))) == {"a.jpg": "out/a.png"}


def test_a_single_input_may_name_its_file():
    assert plan(["a.jpg"], Path("x/y.webp"), Look()).images == [Job(Path("a.jpg"), Path("x/y.webp"))]
    assert plan(["in/film.mov"], Path("y.avi"), Look()).videos == [Job(Path("in/film.mov"), Path("y.avi"))]


def test_a_number_is_a_camera_unless_a_file_is_called_so(write_files, tmp_path):
    jobs = plan(["0"], Path("out"), Look())
    assert (jobs.camera, jobs.recording) == (0, Path("out/camera_0.mp4"))
    assert plan(["2"], Path("me.avi"), Look()).recording == Path("me.avi")
    write_files(tmp_path, {"0/a.jpg": b""})
    assert plan(["0"], Path("out"), Look()).camera is None


def test_results_that_are_there_are_replaced_only_when_told(write_files, tmp_path):
    write_files(tmp_path, {"out/a.jpg": b"", "out/b.PNG": b""})
    with pytest.raises(UserError, match=r"out/a\.jpg and 1 more exist already: name another --output, or add --overwr"):
        plan(["a.jpg", "b.PNG"], Path("out"), Look())
    assert len(plan(["a.jpg", "b.PNG"], Path("out"), Look(), overwrite=True).images) == 2


@pytest.mark.parametrize(
    ("inputs", "output", "show", "message"),
    [
        (["x.jpg"], "out", "overlay", "x.jpg: no such file or folder; expected images, videos, folders or a camera's"),
        (["e.txt"], "out", "overlay", "e.txt: is neither an image nor a video by its name"),
        (["a.jpg", "1"], "out", "overlay", "1: a camera is recorded alone"),
        (["in", "in/c.tif"], "out", "overlay", "in/c.tif and in/c.tif would both become out/c.png"),
        (["a.jpg"], "b.gif", "overlay", "--output b.gif: expected a folder, or a name that ends in .jpeg, .jpg, .png"),
        (["a.jpg"], "b.jpg", "mask", "--output b.jpg: expected a folder, or a name that ends in .png"),
        (["in/film.mov"], "b.mkv", "overlay", "--output b.mkv: expected a folder, or a name that ends in .avi, .mp4"),
        (["in"], "e.txt", "overlay", "--output e.txt is a file: expected a folder"),
        (["in"], "out", "mask", "--show mask: a video's compression changes class ids"),
        (["0"], "out", "mask", "--show mask: a video's compression changes class ids"),
        (["in/deep"], "in/deep", "overlay", "in/deep/d.jpeg is an input: name another --output"),
    ],
)
def test_what_cannot_be_done_is_said_first(inputs, output, show, message):
    with pytest.raises(UserError) as said:
        plan(inputs, Path(output), Look(show), overwrite=True)
    assert str(said.value).startswith(message)


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: holds no image or video"):
        plan(["empty"], Path("out"), Look())
