"""``segstack data import`` and ``blank-masks``: options reach the importers, and errors are one sentence."""

import numpy as np
import pytest

from trainer.datasets.dataset import load_dataset

PHOTO = np.full((4, 6, 3), 90, np.uint8)
MASK = np.zeros((4, 6), np.uint8)
MASK[:2] = 255
CVAT = {
    "labelmap.txt": "apple:220,40,50::\nbackground:0,0,0::\nleaf:60,170,75::\nvoid:9,9,9::\n",
    "ImageSets/Segmentation/Train.txt": "a_1\n",
    "JPEGImages/a_1.png": PHOTO,
    "JPEGImages/a_2.png": PHOTO,
    "SegmentationClass/a_1.png": np.full((4, 6, 3), (220, 40, 50), np.uint8),
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_import_cvat(trainer, here, write_files):
    for name in ("street", "kitchen"):
        write_files(here / name, CVAT)
    options = ["--unlisted", "blank", "--ignore", "void", "--group-pattern", "(.*)_", "--split-seed", 3]
    status, out, _ = trainer("data", "import", "cvat", "street", "kitchen", "--output", "set", *options)
    assert (status, out.splitlines()[-1]) == (0, "imported: set")
    dataset = load_dataset(here / "set")
    assert [i.id for i in dataset.items] == ["street/a_1", "street/a_2", "kitchen/a_1", "kitchen/a_2"]
    assert [i.group for i in dataset.items] == ["street/a", "street/a", "kitchen/a", "kitchen/a"]
    assert [c.name for c in dataset.classes] == ["background", "apple", "leaf"]
    assert dataset.split_seed == 3


def test_blank_masks_then_import_folder(trainer, here, write_files):
    write_files(here, {"mine/photos/a.jpg": PHOTO, "mine/photos/b.jpg": PHOTO, "mine/gt/a_mask.png": MASK})
    status, out, _ = trainer("data", "blank-masks", "mine/photos", "--output", "mine/gt")
    assert (status, out) == (0, "written: 1 blank masks in mine/gt; 1 images already had a mask\n")
    (here / "classes.yaml").write_text("[soil, apple]")
    options = ["--rgb", "photos", "--map", "255=1", "--classes", "classes.yaml"]
    status, out, _ = trainer("data", "import", "folder", "mine", "--output", "set", *options)
    assert status == 0
    assert "  apple                 25.000% of the pixels" in out
    assert [i.id for i in load_dataset(here / "set").items] == ["a", "b"]


def test_import_cityscapes(trainer, here, write_files):
    frame = "train/aachen/aachen_000000_000019"
    files = {f"leftImg8bit/{frame}_leftImg8bit.png": PHOTO, f"gtFine/{frame}_gtFine_labelIds.png": MASK // 255 * 7}
    write_files(here / "zips", files)
    status, out, _ = trainer("data", "import", "cityscapes", "zips", "--output", "set")
    assert status == 0
    assert out.startswith("1 images (1 train, 0 validation, 0 test)")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["import", "cvat", "nowhere.zip"], "nowhere.zip: no such file or folder; expected an export in CVAT's format"),
        (["import", "cvat", "gt", "--group-pattern", "("], "--group-pattern '(' is not a regular expression"),
        (["import", "folder", "nowhere"], "nowhere: no such file or folder; expected images in rgb/ and masks in gt/"),
        (
            ["import", "folder", ".", "--rgb", "photos"],
            ".: contains no image in photos/; if the folder has another name, give --rgb",
        ),
        (["import", "folder", ".", "--classes", "c.yaml", "--rgb", "gt"], "--classes c.yaml: cannot be read"),
        (["import", "cityscapes", "."], ".: does not contain leftImg8bit or gtFine; expected Cityscapes' own zips"),
        (["blank-masks", "nowhere"], "nowhere: no such folder; expected a folder of images"),
    ],
    ids=" ".join,
)
def test_user_error_is_one_line(trainer, here, write_files, words, message):
    write_files(here, {"gt/a.png": MASK})
    status, out, err = trainer("data", *words, "--output", "set")
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {message}")
    assert err.count("\n") == 1
    assert sorted(p.name for p in here.iterdir()) == ["gt"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--map", "255"], "argument --map: '' is not a value of an 8-bit mask: expected 0 to 255"),
        (["--map", "300=1"], "argument --map: '300' is not a value of an 8-bit mask: expected 0 to 255"),
        (["--ignore", "1,2"], "argument --ignore: '1,2' is not a colour: expected R,G,B"),
    ],
)
def test_invalid_value_is_named(trainer, here, capsys, option, message):
    with pytest.raises(SystemExit):
        trainer("data", "import", "folder", ".", "--output", "set", *option)
    assert message in capsys.readouterr().err
