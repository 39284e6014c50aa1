"""Models that do not keep the contract: the original project's exports, one sigmoid, class ids; refused ones."""

import json

import numpy as np
import pytest

from contract import ClassInfo, ModelCard, Signature, TensorSpec
from gateway.errors import InvalidParameter
from gateway.serving_client.foreign import ForeignGraph
from segstack_testing.images import PHOTO_MASK, class_ids

CLASSES = ["background", "car", "tree", "person"]
SIZE = (48, 64)


def spec(dtype, *shape):
    return TensorSpec(dtype, shape)


def floats(*shape):
    return spec("float32", None, *shape)


def ids(reply):
    assert reply.status_code == 200, reply.text
    return class_ids(reply.content)


def colours_as_scores(pixels):
    """Class 1, 2, 3 where red, green, blue is largest, of pixels in -1 to 1; class 0 where it is dark."""
    dark = np.full((*pixels.shape[:3], 1), -0.5, np.float32)
    return np.concatenate((dark, pixels), axis=3)


@pytest.fixture
def publish(serving, make_gateway, tmp_path):
    """``publish(inputs, outputs, answer, **card)``: the client of a gateway with the foreign model ``theirs``."""

    def go(inputs, outputs, answer, **card):
        serving.publish_foreign("theirs", Signature(inputs, outputs), answer)
        (tmp_path / "theirs.json").write_text(json.dumps(card))
        return make_gateway(models=("theirs",), cards=tmp_path)

    return go


MINUS_ONE_TO_ONE = {"scale": 1 / 127.5, "mean": [1, 1, 1]}


@pytest.fixture
def original_project(publish):
    """float32 `input_1` preprocessed by the caller, float32 logits `output`, both of any size."""
    return publish(
        {"input_1": floats(None, None, 3)},
        {"output": floats(None, None, 4)},
        colours_as_scores,
        classes=CLASSES,
        preprocessing=MINUS_ONE_TO_ONE,
        input_height=SIZE[0],
        input_width=SIZE[1],
    )


def test_pixels_are_preprocessed_and_logits_become_class_ids(original_project, jpeg):
    mask = ids(original_project.post("/segment", content=jpeg))
    assert (mask == PHOTO_MASK).mean() > 0.99


def test_classes_come_from_the_card_file(original_project, jpeg):
    model = original_project.get("/models/theirs").json()
    assert (model["input_height"], model["input_width"]) == SIZE
    assert [c["name"] for c in model["classes"]] == CLASSES
    colors = [c["color"] for c in model["classes"]]
    assert colors == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]  # Pascal VOC's


def test_confidence_of_logits_is_their_softmax(publish, jpeg):
    logits = np.zeros((1, *SIZE, 4), np.float32)
    logits[..., 2] = np.where(np.arange(64) < 32, 1, 5)  # softmax 0.475 on the left, 0.980 on the right
    client = publish({"x": floats(*SIZE, 3)}, {"y": floats(*SIZE, 4)}, lambda _: logits, classes=CLASSES,
                     preprocessing=MINUS_ONE_TO_ONE)  # fmt: skip
    mask = ids(client.post("/segment?size=model&min_confidence=0.5", content=jpeg))
    assert set(np.unique(mask[:, :32])) == {255}
    assert set(np.unique(mask[:, 32:])) == {2}


def test_confidence_of_probabilities_is_their_maximum(publish, jpeg):
    probabilities = np.zeros((1, *SIZE, 4), np.float32)
    probabilities[..., 3] = np.where(np.arange(64) < 32, 0.4, 0.9)
    client = publish({"x": floats(*SIZE, 3)}, {"y": floats(*SIZE, 4)}, lambda _: probabilities, classes=CLASSES,
                     output="probabilities", preprocessing=MINUS_ONE_TO_ONE)  # fmt: skip
    mask = ids(client.post("/segment?size=model&min_confidence=0.5", content=jpeg))
    assert set(np.unique(mask[:, :32])) == {255}
    assert set(np.unique(mask[:, 32:])) == {3}


@pytest.mark.parametrize(("output", "threshold"), [("logits", 0.0), ("probabilities", 0.5)])
def test_single_channel_is_the_second_of_two_classes(publish, jpeg, output, threshold):
    score = np.full((1, *SIZE, 1), threshold - 0.3, np.float32)
    score[:, :, 32:] = threshold + 0.3
    client = publish({"x": floats(*SIZE, 3)}, {"y": floats(*SIZE, 1)}, lambda _: score, classes=["sky", "person"],
                     output=output, preprocessing=MINUS_ONE_TO_ONE)  # fmt: skip
    mask = ids(client.post("/segment?size=model", content=jpeg))
    assert set(np.unique(mask[:, :32])) == {0}
    assert set(np.unique(mask[:, 32:])) == {1}
    confident = ids(client.post("/segment?size=model&min_confidence=0.9", content=jpeg))
    assert set(np.unique(confident)) == {255}  # p is 0.57 or 0.8 everywhere


def test_small_scores_are_resized_before_the_argmax(publish, jpeg):
    """Where two classes' scores cross between pixels, the border is there, not on the coarse grid."""
    coarse = np.zeros((1, 12, 16, 4), np.float32)
    coarse[..., 1] = np.linspace(1, -0.62, 16)  # crosses zero at 9.26, of the stretched columns before 39
    client = publish({"x": floats(*SIZE, 3)}, {"y": floats(None, None, 4)}, lambda _: coarse, classes=CLASSES,
                     preprocessing=MINUS_ONE_TO_ONE)  # fmt: skip
    mask = ids(client.post("/segment?size=model", content=jpeg))
    assert set(np.flatnonzero(mask[24] == 1)) == set(range(39))


def test_uint8_input_and_class_ids_need_class_names_only(publish, jpeg):
    def answer(pixels):
        return np.where(pixels.max(3) < 100, 0, pixels.argmax(3) + 1)

    labels = {"labels": spec("int64", None, *SIZE)}
    client = publish({"image": spec("uint8", None, *SIZE, 3)}, labels, answer, classes=CLASSES)
    assert (ids(client.post("/segment", content=jpeg)) == PHOTO_MASK).mean() > 0.99
    reply = client.post("/segment?min_confidence=0.5", content=jpeg)
    assert reply.status_code == 422
    assert "without probabilities" in reply.json()["error"]["message"]


GOOD_IN, GOOD_OUT = {"x": floats(*SIZE, 3)}, {"y": floats(*SIZE, 4)}
GOOD_CARD = {"classes": CLASSES, "preprocessing": MINUS_ONE_TO_ONE}


@pytest.mark.parametrize(
    ("inputs", "outputs", "card", "match"),
    [
        ({"x": floats(3, *SIZE)}, GOOD_OUT, GOOD_CARD, "channels first; expected uint8 or float32 [N"),
        (GOOD_IN, {"y": floats(4, *SIZE)}, GOOD_CARD, "channels first; expected float32 [N, height, width, 4]"),
        (GOOD_IN, {"y": floats(*SIZE, 7)}, GOOD_CARD, "float32 [N, height, width, 4]"),
        (GOOD_IN, {"y": floats(*SIZE, 4), "z": floats(1)}, GOOD_CARD, "outputs ['y', 'z']; expected one output, or"),
        ({"x": floats(*SIZE, 3), "z": floats(1)}, GOOD_OUT, GOOD_CARD, "inputs ['x', 'z']; expected one input"),
        (GOOD_IN, GOOD_OUT, {"classes": CLASSES}, "expected preprocessing in its card file"),
        ({"x": floats(None, None, 3)}, GOOD_OUT, GOOD_CARD, "expected input_height and input_width"),
        (GOOD_IN, GOOD_OUT, {"clases": CLASSES}, "theirs.json in GATEWAY_CARDS: classes: Field required"),
        (GOOD_IN, GOOD_OUT, {**GOOD_CARD, "output": "softmax"}, "theirs.json in GATEWAY_CARDS: output: "),
    ],
)  # fmt: skip
def test_unsupported_signature_is_502_with_the_remedy(publish, jpeg, inputs, outputs, card, match):
    client = publish(inputs, outputs, colours_as_scores, **card)
    reply = client.post("/segment", content=jpeg)
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "bad_serving_reply")
    assert match in reply.json()["error"]["message"]


@pytest.mark.parametrize("folder", [True, False])
def test_missing_card_file_error_says_what_to_write_and_where(serving, make_gateway, tmp_path, jpeg, folder):
    serving.publish_foreign("theirs", Signature(GOOD_IN, GOOD_OUT), colours_as_scores)
    client = make_gateway(models=("theirs",), cards=tmp_path if folder else None)
    message = client.post("/segment", content=jpeg).json()["error"]["message"]
    assert "write theirs.json in" in message
    assert (str(tmp_path) if folder else "GATEWAY_CARDS") in message


@pytest.mark.parametrize("answer", [np.zeros((1, 48, 64, 3), np.float32), np.zeros((2, 48, 64, 4), np.float32)])
def test_output_of_another_shape_than_declared_is_502(publish, jpeg, answer):
    client = publish(GOOD_IN, GOOD_OUT, lambda _: answer, **GOOD_CARD)
    reply = client.post("/segment", content=jpeg)
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "bad_serving_reply")


def test_contract_model_may_replace_a_foreign_one(publish, serving, jpeg):
    client = publish(GOOD_IN, GOOD_OUT, colours_as_scores, **GOOD_CARD)
    assert client.post("/segment", content=jpeg).headers["X-Model-Version"] == "1"
    del serving.foreign["theirs"]
    serving.publish("theirs", 2, name="theirs")
    reply = client.post("/segment", content=jpeg)
    assert reply.headers["X-Model-Version"] == "2"
    assert np.array_equal(ids(reply), PHOTO_MASK)


def test_a_signature_that_only_the_contract_has_is_invalid():
    card = ModelCard("theirs", "foreign", *SIZE, tuple(ClassInfo(i, name, (i, i, i)) for i, name in enumerate(CLASSES)))
    graph = ForeignGraph(card, "serving_default", "x", None, "y", "logits")
    with pytest.raises(InvalidParameter, match="no signature 'encoded'"):
        graph.build_call(np.zeros((*SIZE, 3), np.uint8), "encoded")
