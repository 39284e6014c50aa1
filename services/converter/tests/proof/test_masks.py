"""How any segmentation model is asked for its mask."""

import re

import numpy as np
import pytest

from contract import Signature, TensorSpec, signatures
from converter.errors import ConverterError
from converter.proof.masks import interface_of

PIXELS = TensorSpec("float32", (None, 64, 96, 3))
ANY_SIZE = TensorSpec("float32", (None, None, None, 3))
LOGITS = TensorSpec("float32", (None, None, None, 19))


def theirs(image=PIXELS, output=LOGITS, name="serving_default"):
    return {name: Signature({"input_1": image}, {"output": output})}


def test_the_contract_s_is_asked_by_serving_default(card) -> None:
    interface = interface_of("tiny", signatures(card), None)
    assert (interface.signature, interface.input, interface.output) == ("serving_default", "image", "mask")
    assert (interface.height, interface.width) == (32, 48)
    pixels = np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3)
    assert interface.feeds(pixels) == {"image": pixels}
    assert interface.masks({"mask": pixels[..., 0]}).tolist() == [[[0, 3]]]


def test_another_s_takes_its_only_signature_and_floats(card) -> None:
    interface = interface_of("theirs", theirs(name="predict"), None)
    assert (interface.signature, interface.output) == ("predict", "output")
    fed = interface.feeds(np.array([[[[0, 255, 51]]]], np.uint8))["input_1"]
    assert fed.dtype == np.float32
    np.testing.assert_allclose(fed, [[[[-1, 1, -0.6]]]], rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (np.array([[[[1.0, 3, 2], [4, 0, 0]]]]), [[[1, 0]]]),
        (np.array([[[[-1.0], [0.2], [3]]]]), [[[0, 1, 1]]]),  # one logit
        (np.array([[[[0.4], [0.6]]]]), [[[0, 1]]]),  # one probability
        (np.array([[[[4], [2]]]]), [[[4, 2]]]),
        (np.array([[[4, 2]]]), [[[4, 2]]]),
    ],
)
def test_whatever_the_answer_is_becomes_class_ids(values, classes) -> None:
    masks = interface_of("theirs", theirs(), None).masks({"output": values})
    assert (masks.dtype, masks.tolist()) == (np.uint8, classes)


def test_more_classes_than_a_mask_can_say_are_refused() -> None:
    with pytest.raises(ConverterError, match="output answers scores of 257 classes: expected at most 256"):
        interface_of("theirs", theirs(), None).masks({"output": np.zeros((1, 2, 2, 257), np.float32)})


def test_numbers_that_are_no_class_ids_are_refused() -> None:
    with pytest.raises(ConverterError, match="output answers 1000: expected class ids from 0 to 255"):
        interface_of("theirs", theirs(), None).masks({"output": np.array([[[0, 1000]]])})


def test_a_model_of_any_size_is_converted_for_one() -> None:
    interface = interface_of("theirs", theirs(ANY_SIZE), (480, 640))
    assert (interface.height, interface.width) == (480, 640)
    with pytest.raises(
        ConverterError, match=r"takes input_1 float32 \[\?, \?, \?, 3\], of any size, .*--image-size H W"
    ):
        interface_of("theirs", theirs(ANY_SIZE), None)
    with pytest.raises(ConverterError, match=r"--image-size 480 640: theirs takes input_1 float32 \[\?, 64, 96, 3\]"):
        interface_of("theirs", theirs(), (480, 640))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "has the signatures none: expected one"),
        ({**theirs(name="a"), **theirs(name="b")}, "has the signatures a, b: expected one, or serving_default"),
        (theirs(TensorSpec("string", (None,))), "takes input_1 string [?]: expected one input of images"),
        (theirs(TensorSpec("float32", (None, 3, 64, 96))), "takes input_1 float32 [?, 3, 64, 96]: expected images"),
        (theirs(output=TensorSpec("float32", (None, 1000))), "answers output float32 [?, 1000]: expected class ids"),
    ],
)
def test_what_is_no_segmentation_model_is_refused(found, message) -> None:
    with pytest.raises(ConverterError, match=re.escape(message)):
        interface_of("theirs", found, None)
