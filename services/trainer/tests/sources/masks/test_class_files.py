"""``--classes FILE`` in every form."""

import json

import pytest

from trainer.datasets.class_colors import voc_color
from trainer.errors import UserError
from trainer.sources.masks.class_files import read_class_file

RED, GREEN = (220, 40, 50), (60, 170, 75)


@pytest.fixture
def read(tmp_path):
    """``read(name, text)``: the class file."""

    def run(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_class_file(tmp_path / name)

    return run


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.yaml", "[soil, apple, leaf]"),
        ("classes.yaml", "- soil\n- apple\n- leaf\n"),
        ("classes.yaml", "0: soil\n1: apple\n2: leaf\n"),
        ("classes.yaml", "classes: {2: leaf, 0: soil, 1: apple}"),
        ("classes.json", '{"0": "soil", "1": "apple", "2": "leaf"}'),
        ("classes.json", '[{"id": 0, "name": "soil"}, {"id": 1, "name": "apple"}, {"id": 2, "name": "leaf"}]'),
    ],
)
def test_names_by_value(read, name, text):
    file = read(name, text)
    assert [(c.id, c.name, c.color) for c in file.classes] == [
        (value, name, voc_color(value)) for value, name in enumerate(["soil", "apple", "leaf"])
    ]
    assert file.id_of == {0: 0, 1: 1, 2: 2}
    assert not file.colored


def test_index_of_a_data_set_is_a_class_file(read):
    entries = [{"id": 0, "name": "soil", "color": (0, 0, 0)}, {"id": 1, "name": "apple", "color": RED}]
    file = read("dataset.json", json.dumps({"format_version": 2, "classes": entries}))
    assert [c.color for c in file.classes] == [(0, 0, 0), RED]
    assert file.colored


def test_cvat_s_label_map_counts_its_lines_and_puts_background_first(read):
    file = read("labelmap.txt", "apple:220,40,50::\nbackground:0,0,0::\nleaf:60,170,75::\n")
    assert [(c.name, c.color) for c in file.classes] == [("background", (0, 0, 0)), ("apple", RED), ("leaf", GREEN)]
    assert file.id_of == {0: 1, 1: 0, 2: 2}
    assert file.colored


def test_values_with_gaps_are_renumbered(read):
    file = read("classes.yaml", "{7: road, 11: building, 26: car}")
    assert [(c.id, c.name) for c in file.classes] == [(0, "road"), (1, "building"), (2, "car")]
    assert file.id_of == {7: 0, 11: 1, 26: 2}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.yaml", "{", "is not a class map"),
        ("c.yaml", "road", r"is not a class map \(found str\): expected a list of names"),
        ("c.yaml", "", r"is not a class map \(found NoneType\)"),
        ("c.yaml", "{road: 0}", "is not a class map"),
        ("c.yaml", "[{name: road}]", r"is not a class map \('id'\)"),
        ("c.yaml", "{0: road, 255: void}", "value 255 is not 0 to 254; 255 is ignored and has no name"),
        ("c.yaml", "{0: road, -1: void}", "value -1 is not 0 to 254"),
        ("c.yaml", "[road]", "names 1 class: expected two or more"),
        ("c.yaml", "[road, car, road]", "the name 'road' occurs twice"),
        ("c.yaml", "[{id: 1, name: road}, {id: 1, name: car}]", "the value 1 occurs twice"),
        ("c.yaml", "[{id: 0, name: road, color: [1, 2, 3]}, {id: 1, name: car}]", "gives a color to only some classes"),
        ("c.yaml", "[{id: 0, name: a, color: [1, 2, 3]}, {id: 1, name: b, color: [1, 2, 3]}]", "share the colour"),
        ("labelmap.txt", "road\n", "line 1: expected name:R,G,B"),
    ],
)
def test_invalid_class_file_is_a_user_error(read, name, text, message):
    with pytest.raises(UserError, match=rf"{name}.*{message}"):
        read(name, text)


def test_missing_class_file_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"--classes .*nowhere\.yaml: cannot be read"):
        read_class_file(tmp_path / "nowhere.yaml")
