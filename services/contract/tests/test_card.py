"""The model card: its fields, its JSON, and how invalid ones are refused."""

import dataclasses
import json

import pytest

from contract import CardError, ClassInfo, Metrics, ModelCard, Preprocessing
from contract.card import check_model_name


@pytest.fixture
def full_card(card):
    return dataclasses.replace(
        card,
        preprocessing=Preprocessing(scale=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        metrics=Metrics(miou=0.5, per_class_iou={"background": 0.5, "road": None}, split="val", images=10),
        flops=1_000_000,
        parameters=5_695_987,
        precision="fp16",
        derived_from="road:3",
        engine={"tensorrt": "7.2.2", "segments": [{"nodes": 12}]},
        frameworks={"tensorflow": "2.21.0"},
        created_at="2026-11-22T12:00:00Z",
        git_revision="8024379",
        weights_sha256="ab" * 32,
    )


def test_card_survives_json(card, full_card):
    for before in (card, full_card):
        after = ModelCard.from_json(before.to_json())
        assert after == before
        assert after.to_json() == before.to_json()
        assert ModelCard.from_json(before.to_json().encode()) == before


def test_json_is_readable(card):
    card = dataclasses.replace(card, classes=(*card.classes, ClassInfo(2, "trottoir d'été", (244, 35, 232))))
    text = card.to_json()
    assert "trottoir d'été" in text
    assert text.endswith("}\n")
    assert json.loads(text)["schema_version"] == 1


def test_optional_fields_may_be_left_out(card):
    data = json.loads(card.to_json())
    needed = {"schema_version", "name", "architecture", "input_height", "input_width", "classes"}
    assert ModelCard.from_json(json.dumps({key: data[key] for key in needed})) == card


def test_integers_are_accepted_for_floats(card):
    data = json.loads(card.to_json())
    data["preprocessing"] = {"scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}
    assert isinstance(ModelCard.from_json(json.dumps(data)).preprocessing.scale, float)


@pytest.mark.parametrize("name", ["road", "ddrnet-trt-fp16", "a", "7", "A.b_c-9", "x" * 128])
def test_valid_model_names(name):
    assert check_model_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".hidden", "-flag", "a/b", "..", "a b", "rød", "a\n", 'a"', "x" * 129, None, 7], ids=repr
)
def test_invalid_model_names_are_refused(name):
    with pytest.raises(CardError, match=r"model name .*: expected a letter or digit, then at most 127"):
        check_model_name(name)


BLACK = (0, 0, 0)
BACKGROUND, ROAD = ClassInfo(0, "background", BLACK), ClassInfo(1, "road", (128, 64, 128))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "a/b"}, "model name 'a/b': expected a letter or digit"),
        ({"input_height": 0}, r"input size 0x48 \(height x width\): expected two positive numbers"),
        ({"input_width": -1}, r"input size 32x-1 \(height x width\)"),
        ({"classes": (BACKGROUND,)}, "1 classes: expected 2 to 255; a one-logit network is exported as two"),
        ({"classes": (ROAD, BACKGROUND)}, r"class ids \[1, 0\]: expected 0, 1, 2, … in order"),
        ({"classes": (BACKGROUND, ClassInfo(2, "road", BLACK))}, r"class ids \[0, 2\]"),
        ({"classes": (BACKGROUND, ClassInfo(1, "background", BLACK))}, r"class names \['background'\] are repeated"),
        ({"ignore_id": 0}, "ignore id 0: expected 255"),
    ],
)
def test_invalid_card_is_refused(card, change, sentence):
    with pytest.raises(CardError, match=sentence):
        dataclasses.replace(card, **change)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ((255, "void", BLACK), "class 'void' has id 255: expected 0 to 254, as 255 is the ignore id"),
        ((-1, "void", BLACK), "class 'void' has id -1"),
        ((3, "  ", BLACK), "class 3 has no name"),
        ((3, "sky", (0, 0)), r"class 'sky' has colour \(0, 0\): expected R, G, B, each 0 to 255"),
        ((3, "sky", (0, 0, 256)), "class 'sky' has colour"),
    ],
)
def test_class_rules(values, sentence):
    with pytest.raises(CardError, match=sentence):
        ClassInfo(*values)


def test_at_most_255_classes(card):
    most = tuple(ClassInfo(i, f"class {i}", BLACK) for i in range(255))
    assert len(dataclasses.replace(card, classes=most).classes) == 255


def test_std_of_zero_is_refused():
    with pytest.raises(CardError, match=r"preprocessing std .* no zero"):
        Preprocessing(std=(1.0, 0.0, 1.0))


@pytest.mark.parametrize(
    ("miou", "road", "sentence"),
    [
        (85.2, 0.5, "metrics miou is 85.2: expected 0 to 1"),
        (float("nan"), 0.5, "metrics miou is nan"),
        (0.5, -0.1, "metrics road is -0.1"),
    ],
)
def test_metrics_are_fractions(miou, road, sentence):
    with pytest.raises(CardError, match=sentence):
        Metrics(miou=miou, per_class_iou={"road": road}, split="val", images=1)


@pytest.mark.parametrize(
    "value", [float("inf"), float("nan"), b"bytes", object()], ids=["inf", "nan", "bytes", "object"]
)
def test_values_that_json_cannot_represent_are_refused(card, value):
    with pytest.raises(CardError, match=r"model card road: .*: expected text, finite numbers"):
        dataclasses.replace(card, engine={"latency_ms": value}).to_json()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "model card is not JSON: "),
        ("{", "model card is not JSON: "),
        (b"\xff\xfe\xfd", "model card is not JSON: "),
        ("[]", "model card is a JSON list: expected an object"),
        ("{}", "model card has schema_version None: this Segstack reads 1"),
    ],
)
def test_invalid_card_text(text, sentence):
    with pytest.raises(CardError, match=sentence):
        ModelCard.from_json(text)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("schema_version", 2, "schema_version 2: this Segstack reads 1; update the older of the two"),
        ("schema_version", "1", "schema_version '1': this Segstack reads 1"),
        ("schema_version", True, "model card.schema_version: expected int, found True"),
        ("colour", "red", "model card: unknown field colour; known fields: name, architecture, "),
        ("name", 7, "model card.name: expected str, found 7"),
        ("name", None, "model card.name: expected str, found None"),
        ("input_height", "32", "model card.input_height: expected int, found '32'"),
        ("input_height", 32.5, "model card.input_height: expected int, found 32.5"),
        ("input_height", True, "model card.input_height: expected int, found True"),
        ("classes", {"0": "road"}, "model card.classes: expected a list, found {'0': 'road'}"),
        ("classes", ["road", "sky"], r"model card.classes\[0\]: expected an object, found str"),
        ("classes", [{"id": 0, "name": "road"}], r"model card.classes\[0\]: field color is missing"),
        (
            "classes",
            [{"id": 0, "name": "a", "color": [1, 2, 3], "colour": 1}],
            r"model card.classes\[0\]: unknown field colour; known fields: id, name, color",
        ),
        (
            "classes",
            [{"id": 0, "name": "a", "color": [1, 2]}],
            r"model card.classes\[0\].color: expected 3 values, found 2",
        ),
        (
            "classes",
            [{"id": 0, "name": "a", "color": [1, 2, "3"]}],
            r"model card.classes\[0\].color\[2\]: expected int, found '3'",
        ),
        ("preprocessing", None, "model card.preprocessing: expected an object, found NoneType"),
        ("preprocessing", {"scale": "1"}, "model card.preprocessing.scale: expected float, found '1'"),
        ("preprocessing", {"scale": True}, "model card.preprocessing.scale: expected float, found True"),
        ("metrics", {"miou": 0.5}, "model card.metrics: field per_class_iou is missing"),
        (
            "metrics",
            {"miou": 0.5, "per_class_iou": {"road": "high"}, "split": "val", "images": 3},
            "model card.metrics.per_class_iou.road: expected float, found 'high'",
        ),
        ("frameworks", ["tensorflow"], r"model card.frameworks: expected an object, found \['tensorflow'\]"),
        ("frameworks", {"tensorflow": 2}, "model card.frameworks.tensorflow: expected str, found 2"),
        ("flops", 1.5, "model card.flops: expected int, found 1.5"),
    ],
)
def test_invalid_field_is_named(card, field, value, sentence):
    data = json.loads(card.to_json())
    data[field] = value
    with pytest.raises(CardError, match=sentence):
        ModelCard.from_json(json.dumps(data))


@pytest.mark.parametrize("field", ["name", "architecture", "input_height", "input_width", "classes"])
def test_missing_field_is_named(card, field):
    data = json.loads(card.to_json())
    del data[field]
    with pytest.raises(CardError, match=f"model card: field {field} is missing"):
        ModelCard.from_json(json.dumps(data))
