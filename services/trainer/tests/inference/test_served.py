"""A served model: what is asked of whom. That serving answers as the folder does: tests/test_evaluate_served.py."""

import grpc
import pytest

from trainer.errors import UserError
from trainer.inference.served import _in_words, served


@pytest.mark.parametrize("target", ["", ":3", "demo:three", "demo@", "demo:99999999999999999999"])
def test_a_target_is_a_name_with_a_version_or_a_label(target):
    with pytest.raises(UserError, match="expected NAME, NAME:VERSION or NAME@LABEL"), served("localhost:1", target):
        pass


def test_nobody_answering_is_said():
    # Port 1 belongs to nobody.
    said = r"serving at 127.0.0.1:1 does not answer: .*`make serve`"
    with pytest.raises(UserError, match=said), served("127.0.0.1:1", "demo"):
        pass


@pytest.mark.parametrize("code", [grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT])
def test_a_missing_signature_is_said_whatever_the_model_is_called(code):
    """TensorFlow Serving answers FAILED_PRECONDITION."""
    said = _in_words(":8500", "label-me", code, 'label-me: Serving signature key "probabilities" not found.')
    assert said.startswith("label-me at :8500 was not published by Segstack, or lacks a signature: ")
