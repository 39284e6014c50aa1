"""The signatures of a published SavedModel, and how differences from them are reported."""

import pytest

from contract import Signature, TensorSpec, mismatches, signatures


def test_signatures_of_a_two_class_model_at_32x48(card):
    image, plane = TensorSpec("uint8", (None, 32, 48, 3)), TensorSpec("uint8", (None, 32, 48))
    strings = TensorSpec("string", (None,))
    assert signatures(card) == {
        "serving_default": Signature({"image": image}, {"mask": plane}),
        "scores": Signature({"image": image}, {"mask": plane, "confidence": plane, "entropy": plane}),
        "probabilities": Signature({"image": image}, {"probabilities": TensorSpec("float32", (None, 32, 48, 2))}),
        "encoded": Signature({"image_bytes": strings}, {"mask": plane}),
        "describe": Signature({"query": strings}, {"model_card": strings}),
    }


def test_every_tensor_can_be_batched(card):
    for signature in signatures(card).values():
        for spec in [*signature.inputs.values(), *signature.outputs.values()]:
            assert spec.shape[0] is None


def test_agreeing_model_has_no_mismatches(card):
    assert mismatches(card, signatures(card)) == []


def test_additional_signatures_are_allowed(card):
    found = {**signatures(card), "__saved_model_init_op": Signature({}, {})}
    assert mismatches(card, found) == []


def _without_encoded(found):
    del found["encoded"]


def _float_image(found):
    found["serving_default"].inputs["image"] = TensorSpec("float32", (None, 32, 48, 3))


def _fixed_batch(found):
    found["serving_default"].outputs["mask"] = TensorSpec("uint8", (1, 32, 48))


def _other_classes(found):
    found["probabilities"].outputs["probabilities"] = TensorSpec("float32", (None, 32, 48, 19))


def _other_alias(found):
    found["describe"].outputs["card"] = found["describe"].outputs.pop("model_card")


def _one_output_more(found):
    found["scores"].outputs["logits"] = TensorSpec("float32", (None, 32, 48, 2))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_without_encoded, "signature encoded is missing"),
        (
            _float_image,
            "signature serving_default: image is float32 [?, 32, 48, 3], expected uint8 [?, 32, 48, 3]",
        ),
        (_fixed_batch, "signature serving_default: mask is uint8 [1, 32, 48], expected uint8 [?, 32, 48]"),
        (
            _other_classes,
            "signature probabilities: probabilities is float32 [?, 32, 48, 19], expected float32 [?, 32, 48, 2]",
        ),
        (_other_alias, "signature describe has outputs ['card']: expected ['model_card']"),
        (
            _one_output_more,
            "signature scores has outputs ['confidence', 'entropy', 'logits', 'mask']: "
            "expected ['confidence', 'entropy', 'mask']",
        ),
    ],
)
def test_mismatch_is_one_sentence(card, change, sentence):
    # Copied to the last dictionary, because signatures share theirs.
    found = {name: Signature(dict(s.inputs), dict(s.outputs)) for name, s in signatures(card).items()}
    change(found)
    assert mismatches(card, found) == [sentence]


def test_all_mismatches_are_reported(card):
    assert mismatches(card, {}) == [f"signature {name} is missing" for name in signatures(card)]
