"""How masks are read from any segmentation model."""

import re

import numpy as np
import pytest

from contract import Signature, TensorSpec, signatures
from converter import interface as interfaces
from converter.arguments import parse
from converter.errors import ConverterError
from converter.interface import interface_of, of_source

PIXELS = TensorSpec("float32", (None, 64, 96, 3))
ANY_SIZE = TensorSpec("float32", (None, None, None, 3))
LOGITS = TensorSpec("float32", (None, None, None, 19))


def signature(image=PIXELS, output=LOGITS, name="serving_default"):
    return {name: Signature({"input_1": image}, {"output": output})}


def test_contract_model_uses_serving_default(card) -> None:
    interface = interface_of("tiny", signatures(card), None)
    assert (interface.signature, interface.input, interface.output) == ("serving_default", "image", "mask")
    assert (interface.height, interface.width) == (32, 48)
    pixels = np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3)
    assert interface.feeds(pixels) == {"image": pixels}
    assert interface.masks({"mask": pixels[..., 0]}).tolist() == [[[0, 3]]]


def test_model_older_than_a_signature_of_the_contract_is_refused(models_root, monkeypatch) -> None:
    monkeypatch.setattr(interfaces, "signatures", lambda card: {**signatures(card), "newer": None})
    with pytest.raises(ConverterError, match="tiny:1 lacks the signature newer: export it again"):
        of_source(parse([str(models_root / "tiny")]))


def test_third_party_model_uses_its_only_signature_and_floats(card) -> None:
    interface = interface_of("third", signature(name="predict"), None)
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
def test_any_output_becomes_class_ids(values, classes) -> None:
    masks = interface_of("third", signature(), None).masks({"output": values})
    assert (masks.dtype, masks.tolist()) == (np.uint8, classes)


def test_more_than_256_classes_are_refused() -> None:
    with pytest.raises(ConverterError, match="output returns scores of 257 classes: expected at most 256"):
        interface_of("third", signature(), None).masks({"output": np.zeros((1, 2, 2, 257), np.float32)})


def test_integers_outside_uint8_are_refused() -> None:
    with pytest.raises(ConverterError, match="output returns 1000: expected class ids from 0 to 255"):
        interface_of("third", signature(), None).masks({"output": np.array([[[0, 1000]]])})


def test_model_of_any_size_needs_image_size() -> None:
    interface = interface_of("third", signature(ANY_SIZE), (480, 640))
    assert (interface.height, interface.width) == (480, 640)
    with pytest.raises(
        ConverterError, match=r"takes input_1 float32 \[\?, \?, \?, 3\], of any size, .*--image-size H W"
    ):
        interface_of("third", signature(ANY_SIZE), None)
    with pytest.raises(ConverterError, match=r"--image-size 480 640: third takes input_1 float32 \[\?, 64, 96, 3\]"):
        interface_of("third", signature(), (480, 640))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "has the signatures none: expected serving_default"),
        (
            {**signature(name="a"), **signature(name="b")},
            "has the signatures a, b: expected serving_default, or only one",
        ),
        (signature(TensorSpec("string", (None,))), "takes input_1 string [?]: expected one input of images"),
        (
            signature(TensorSpec("float32", (None, 3, 64, 96))),
            "takes input_1 float32 [?, 3, 64, 96]: expected images",
        ),
        (
            signature(output=TensorSpec("float32", (None, 1000))),
            "returns output float32 [?, 1000]: expected class ids",
        ),
    ],
)
def test_non_segmentation_model_is_refused(found, message) -> None:
    with pytest.raises(ConverterError, match=re.escape(message)):
        interface_of("third", found, None)
