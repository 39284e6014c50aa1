"""A served model: targets and errors. tests/test_evaluate_served.py compares its masks with those of the folder."""

import grpc
import pytest

from trainer.errors import UserError
from trainer.inference.served import _explain, served


@pytest.mark.parametrize("target", ["", ":3", "demo:three", "demo@", "demo:99999999999999999999"])
def test_invalid_target_is_a_user_error(target):
    with pytest.raises(UserError, match="expected NAME, NAME:VERSION or NAME@LABEL"), served("localhost:1", target):
        pass


def test_unreachable_serving_is_a_user_error():
    # Nothing listens on port 1.
    message = r"serving at 127.0.0.1:1 does not answer: .*`make serve`"
    with pytest.raises(UserError, match=message), served("127.0.0.1:1", "demo"):
        pass


@pytest.mark.parametrize("code", [grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT])
def test_missing_signature_is_recognised_for_any_model_name(code):
    """TensorFlow Serving answers FAILED_PRECONDITION."""
    message = _explain(":8500", "label-me", code, 'label-me: Serving signature key "probabilities" not found.')
    assert message.startswith("label-me at :8500 was not published by Segstack, or lacks a signature: ")
