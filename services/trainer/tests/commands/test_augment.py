"""``segstack data augment``: from a data set or folders, to folders or a data set."""

import re

import cv2
import numpy as np
import pytest

from trainer.commands.cli import main
from trainer.datasets.dataset import load_dataset
from trainer.sources.writing import SplitConfig


@pytest.fixture
def augment(capsys):
    """``augment("set", …)``: exit status, standard output, standard error."""

    def run(*words):
        return main(["data", "augment", *map(str, words)]), *capsys.readouterr()

    return run


@pytest.fixture
def export(drawn):
    """The options that name the folders of CVAT's export as the original project's did."""
    return [
        *("--rgb_path", drawn / "JPEGImages", "--mask_path", drawn / "SegmentationClass"),
        *("--obj_mask_path", drawn / "SegmentationObject", "--label_map_path", drawn / "labelmap.txt"),
    ]


def test_augmented_folders_are_imported_by_the_printed_command(augment, export, tmp_path, capsys):
    (tmp_path / "walls").mkdir()
    cv2.imwrite(str(tmp_path / "walls" / "blue.png"), np.full((20, 20, 3), (255, 0, 0), np.uint8))
    out = tmp_path / "augmented"
    status, message, _ = augment(*export, "--bg_path", tmp_path / "walls", "--output_path", out, "--copies", 1)
    assert status == 0
    assert message.startswith(f"augmented: {out}\nimport them with: segstack data import folder {out} --rgb RGB")
    assert len(list((out / "RGB").iterdir())) == len(list((out / "VIS_MASK").iterdir())) > 50

    command = message.splitlines()[1].partition("segstack ")[2].replace("NEW_DATA_SET", str(tmp_path / "set"))
    assert main([word.strip("'") for word in command.split()]) == 0
    capsys.readouterr()
    dataset = load_dataset(tmp_path / "set")
    assert [c.name for c in dataset.classes] == ["background", "apple", "banana", "leaf", "plum"]
    assert {item.group for item in dataset.items} == {item.id.partition("_aug")[0] for item in dataset.items}


def test_variants_of_variants_stay_in_the_original_image_s_group(augment, export, tmp_path):
    _, message, _ = augment(*export, "--output", tmp_path / "out", "--copies", 1)
    pattern = re.search(r"--group-pattern '(.*?)'", message)[1]
    group = SplitConfig(group_pattern=pattern).group
    assert group("street/a_aug000_aug003") == group("street/a_aug001") == "street/a"


def test_data_set_is_augmented_and_a_second_run_adds_nothing(augment, dataset, tmp_path):
    words = [dataset.root, "--output", tmp_path / "out", "--output-format", "dataset", "--copies", 1]
    (tmp_path / "operations.yaml").write_text("[flip, {rotate: {degrees: 5}}]")
    words += ["--operations", tmp_path / "operations.yaml"]
    train = len(dataset.split("train"))
    assert augment(*words)[:2] == (0, f"augmented: {tmp_path}/out\n")
    assert augment(*words)[:2] == (0, f"augmented: {tmp_path}/out ({train} variants existed already)\n")
    assert len(load_dataset(tmp_path / "out").items) == len(dataset.items) + train


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give a data set, or all three of --rgb-path"),
        (["--rgb-path", "rgb"], "give a data set, or all three of"),
        (["nowhere"], "nowhere is not a data set"),
        (["nowhere", "--copies", "0"], "expected --copies and --workers of at least 1"),
        (
            ["nowhere", "--operations", "bad.yaml"],
            "--operations bad.yaml: operations.0: there is",
        ),
        (["nowhere", "--operations", "none.yaml"], "--operations none.yaml: cannot be read"),
        (
            ["--rgb-path", "a", "--mask-path", "b", "--label-map-path", "c", "--output-format", "dataset"],
            "--output-format dataset needs a data set",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_user_error_is_one_line(augment, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text("[turn]")
    status, out, err = augment(*words, "--output", "out")
    assert (status, out) == (1, "")
    assert err.startswith(f"trainer: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
