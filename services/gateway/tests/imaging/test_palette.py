"""A model's classes as lookup tables."""

import json

import pytest

from gateway.errors import InvalidParameter
from gateway.imaging.palette import Palette


@pytest.fixture
def palette(card):
    return Palette.of(card)


def test_tables_cover_every_pixel_value(palette):
    assert palette.rgb.shape == (256, 3)
    assert palette.rgb[1].tolist() == [220, 60, 60]
    assert palette.rgb[200].tolist() == [0, 0, 0]
    assert palette.alpha.tolist() == [255] * 255 + [0]


def test_text_is_ascii_json(palette):
    assert palette.text.isascii()
    assert json.loads(palette.text)["classes"][3] == {"id": 3, "name": "fußgänger", "color": [70, 90, 230]}


@pytest.mark.parametrize(
    ("wanted", "ids"), [("car", {1}), (" Tree , 3", {2, 3}), ("0,0,background", {0}), ("FUSSGÄNGER", {3})]
)
def test_classes_are_selected_by_name_or_id(palette, wanted, ids):
    assert palette.select(wanted) == ids


@pytest.mark.parametrize(("wanted", "match"), [("tre", "did you mean 'tree'"), ("9", "no class '9'"), ("", "empty")])
def test_unknown_class_error_lists_the_models_classes(palette, wanted, match):
    with pytest.raises(InvalidParameter, match=match):
        palette.select(wanted)
