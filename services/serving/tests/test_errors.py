"""Errors as gRPC statuses."""

import pytest
import tensorflow as tf
from grpc import StatusCode

from serving.errors import MESSAGE_LIMIT, from_exception, invalid_argument, truncated


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (tf.errors.NotFoundError(None, None, "gone"), StatusCode.NOT_FOUND, "gone"),
        (tf.errors.ResourceExhaustedError(None, None, "full"), StatusCode.RESOURCE_EXHAUSTED, "full"),
        (RuntimeError("no such tags"), StatusCode.UNKNOWN, "no such tags"),
    ],
    ids=["NotFound", "ResourceExhausted", "RuntimeError"],
)
def test_errors_of_the_runtime_keep_their_code_and_text(error, code, message):
    status = from_exception(error)
    assert (status.code, status.message) == (code, message)


def test_status_is_kept_and_printed_as_the_runtime_logs_it():
    error = invalid_argument("Missing ModelSpec")
    assert from_exception(error) is error
    assert str(error) == "Invalid argument: Missing ModelSpec"


def test_messages_are_cut_at_1024_bytes():
    assert truncated("x" * MESSAGE_LIMIT) == "x" * MESSAGE_LIMIT
    assert truncated("x" * (MESSAGE_LIMIT + 1)) == "x" * MESSAGE_LIMIT + "...TRUNCATED"
    assert truncated("x" + "é" * MESSAGE_LIMIT) == "x" + "é" * 511 + "...TRUNCATED"  # never half a character
