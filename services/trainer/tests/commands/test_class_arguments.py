"""Classes from the command line."""

import pytest

from contract import ClassInfo
from trainer.commands.class_arguments import parse_classes
from trainer.errors import UserError


def test_cityscapes_are_its_19_training_classes():
    classes = parse_classes("cityscapes")
    assert [c.id for c in classes] == list(range(19))
    assert classes[11] == ClassInfo(11, "person", (220, 20, 60))


def test_pascal_voc_has_20_classes_and_background():
    classes = parse_classes("pascal_voc")
    assert len(classes) == 21
    assert classes[15] == ClassInfo(15, "person", (192, 128, 128))


def test_names_have_the_voc_palette_s_colours():
    assert parse_classes("background, road") == (
        ClassInfo(0, "background", (0, 0, 0)),
        ClassInfo(1, "road", (128, 0, 0)),
    )


def test_text_file_has_a_name_and_an_optional_colour_per_line(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("# name:R,G,B\nbackground\n\nroad:1,2,3\ncar:4,5,6::\n")
    assert [(c.name, c.color) for c in parse_classes(str(file))] == [
        ("background", (0, 0, 0)),
        ("road", (1, 2, 3)),
        ("car", (4, 5, 6)),
    ]


def test_yaml_file_is_read_as_by_import_folder(tmp_path):
    file = tmp_path / "classes.yaml"
    file.write_text("[background, road]")
    assert parse_classes(str(file)) == parse_classes("background,road")


def test_data_set_gives_its_classes(dataset):
    assert parse_classes(str(dataset.root)) == parse_classes(str(dataset.root / "dataset.json")) == dataset.classes


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), ("road:1,2\n", "road: expected a colour R,G,B"), ("a\n:1,2,3\n", "has no name")],
)
def test_invalid_classes_are_a_user_error(tmp_path, content, message):
    file = tmp_path / "classes.txt"
    if content:
        file.write_text(content)
    with pytest.raises(UserError, match=message):
        parse_classes(str(file))
