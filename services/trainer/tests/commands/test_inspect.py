"""``segstack data frames|validate|preview|build``, and a data set from synthesis to TFDS and back, pixel by pixel."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from trainer.datasets.dataset import SPLITS, load_dataset

HEIGHT, WIDTH = 48, 64


@pytest.fixture
def small_set(trainer, tmp_path, monkeypatch):
    """A drawn and imported set of 24 images, called ``set``, in the current folder."""
    monkeypatch.chdir(tmp_path)
    assert trainer("data", "synthesize", "--output", "cvat", "--images", 24, "--size", HEIGHT, WIDTH)[0] == 0
    assert trainer("data", "import", "cvat", "cvat", "--output", "set")[0] == 0
    return tmp_path / "set"


def counted(values, table):
    """Pixels by class name of RGB rows [N, 3], or of ids [N]; ``table`` has the value of each name."""
    values = np.asarray(values)
    equal = {name: values == np.asarray(value) for name, value in table.items()}
    return {name: int((same.all(axis=1) if same.ndim == 2 else same).sum()) for name, same in equal.items()}


def test_round_trip_keeps_every_pixel(trainer, small_set, tmp_path, masks_on_sheet):
    """synthesize, import-cvat, build, validate, preview, and back from what was built."""
    labelmap = [line.split(":") for line in (tmp_path / "cvat/labelmap.txt").read_text().splitlines()[1:]]
    colors = {name: tuple(map(int, color.split(","))) for name, color, *_ in labelmap}
    ids = (tmp_path / "cvat/ImageSets/Segmentation/default.txt").read_text().split()
    drawn = [tmp_path / "cvat/SegmentationClass" / f"{i}.png" for i in ids]
    labels = [cv2.imread(str(p), cv2.IMREAD_COLOR_RGB) for p in drawn if p.exists()]
    labels += [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * (len(ids) - len(labels))  # a frame without mask
    synthesized = counted(np.concatenate([label.reshape(-1, 3) for label in labels]), colors)
    assert sum(synthesized.values()) == 24 * HEIGHT * WIDTH
    assert min(synthesized.values()) > 0

    dataset = load_dataset(small_set)
    id_of = {c.name: c.id for c in dataset.classes}
    masks = [cv2.imread(str(small_set / i.mask), cv2.IMREAD_UNCHANGED).ravel() for i in dataset.items]
    assert counted(np.concatenate(masks), id_of) == synthesized

    status, out, _ = trainer("data", "build", "set", "--output", "tfds", "--name", "drawn")
    assert (status, out.splitlines()[0]) == (0, "built: tfds/drawn/1.0.0")
    builder = tfds.builder_from_directory("tfds/drawn/1.0.0")
    examples = [e for split in SPLITS for e in tfds.as_numpy(builder.as_dataset(split=split))]
    assert counted(np.concatenate([e["segmentation_mask"].ravel() for e in examples]), id_of) == synthesized

    status, out, _ = trainer("data", "validate", "set", "--report", "report.json")
    assert (status, out.splitlines()[-1]) == (0, "set: fit for training: 24 images, 0 errors, 0 warnings")
    report = json.loads((tmp_path / "report.json").read_text())
    assert {c["name"]: sum(c["pixels"].values()) for c in report["classes"]} == synthesized

    status, out, _ = trainer("data", "preview", "set", "--output", "sheet.png", "--images", 24, "--width", WIDTH)
    assert (status, out) == (0, "drawn: 24 images in sheet.png\n")
    sheet = cv2.imread("sheet.png", cv2.IMREAD_COLOR_RGB)
    assert counted(masks_on_sheet(sheet, 24, HEIGHT, WIDTH), colors) == synthesized

    assert trainer("data", "import", "tfds", "tfds/drawn/1.0.0", "--output", "again")[0] == 0
    again = load_dataset(tmp_path / "again")
    masks = [cv2.imread(str(again.root / i.mask), cv2.IMREAD_UNCHANGED).ravel() for i in again.items]
    assert counted(np.concatenate(masks), id_of) == synthesized


def test_invalid_data_set_prints_a_line_per_error_and_status_1(trainer, small_set):
    mask = small_set / "masks/frame_000003.png"
    mask.write_bytes(cv2.imencode(".png", np.full((HEIGHT, WIDTH), 77, np.uint8))[1].tobytes())
    (small_set / "images/frame_000005.jpg").unlink()
    status, out, err = trainer("data", "validate", "set", "--report", "out/report.json")
    assert status == 1
    assert [line for line in out.splitlines() if line.startswith("error: ")] == [
        "error: images/frame_000005.jpg: is missing; restore the file, or import the data set again",
        "error: masks/frame_000003.png: 3,072 pixels have values outside the classes 0 to 4, most often 77; add the "
        "missing class, or set the pixels to ignored (255), and import again",
    ]
    assert err.splitlines()[-1] == "trainer: set: not fit for training: 23 images, 2 errors, 0 warnings"
    report = json.loads((small_set.parent / "out/report.json").read_text())
    assert [error["file"] for error in report["errors"]] == ["images/frame_000005.jpg", "masks/frame_000003.png"]


def test_frames_prints_the_group_pattern_of_a_video(trainer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writer = cv2.VideoWriter("road.avi", cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for grey in range(40):
        writer.write(np.full((HEIGHT, WIDTH, 3), 5 * (grey // 20), np.uint8))
    writer.release()
    words = ["--start", "0:01", "--end", "3.5", "--every", 5, "--min-difference", 2, "--format", "png"]
    status, out, _ = trainer("data", "frames", "road.avi", "--output", "frames", *words)
    assert (status, out) == (
        0,
        "road.avi: 2 images; 3 similar frames skipped\n"
        "written to frames; import their labels with --group-pattern '(.+)_\\d{6}$'\n",
    )
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == ["road_000010.png", "road_000020.png"]


def test_broken_video_is_one_line_and_ffmpeg_is_silent(tmp_path):
    (tmp_path / "notes.mp4").write_text("not a video")
    command = [sys.executable, "-m", "trainer", "data", "frames", "notes.mp4", "--output", "frames"]
    called = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert called.returncode == 1
    assert called.stderr.startswith("trainer: notes.mp4: cannot be opened as a video; no frame was written. ")
    assert called.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["validate", "nowhere"], "nowhere is not a data set: dataset.json is missing"),
        (["preview", "nowhere", "--output", "a.png"], "nowhere is not a data set: dataset.json is missing"),
        (["preview", "set", "--output", "a.jpg"], "--output a.jpg: expected a name that ends in .png"),
        (["preview", "set", "--output", "a.png", "--classes", "pear"], "--classes pear: not found; the classes are"),
        (["build", "nowhere", "--output", "tfds"], "nowhere: no such file or folder"),
        (["build", "set", "--output", "tfds", "--name", "a/b"], "--name 'a/b': expected a letter, then letters, digit"),
        (["frames", "nowhere.mp4", "--output", "frames"], "nowhere.mp4: no such file; expected a video"),
        (["frames", "set/dataset.json", "--output", "frames", "--every", "0"], "--every 0: expected 1 or more"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_user_error_is_one_line_and_nothing_is_written(trainer, small_set, words, message):
    before = sorted(p for p in small_set.parent.rglob("*"))
    status, out, err = trainer("data", *words)
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {message}")
    assert err.count("\n") == 1
    assert [p for p in sorted(small_set.parent.rglob("*")) if p.name != ".inspections.json"] == before


@pytest.mark.parametrize("time", ["soon", "1:2:x", "", "nan"])
def test_invalid_time_is_named(trainer, time, capsys):
    with pytest.raises(SystemExit):
        trainer("data", "frames", "a.mp4", "--output", "frames", "--start", time)
    assert f"argument --start: {time!r}: expected seconds, or [H:]MM:SS" in capsys.readouterr().err
