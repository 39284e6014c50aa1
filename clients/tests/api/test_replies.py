"""Replies of gateways, of proxies in front of them, and of other servers."""

import httpx
import numpy as np
import pytest

from segclient import wire
from segclient.api import replies
from segclient.errors import BadReply, GatewayError


def reply(status: int, **arguments) -> httpx.Response:
    return httpx.Response(status, request=httpx.Request("POST", "http://here/segment"), **arguments)


def test_error_of_a_gateway_is_read() -> None:
    body = {"error": {"code": "overloaded", "message": "try again", "detail": {"limit": 4}}}
    error = replies.error(reply(429, json=body, headers={"Retry-After": "2"}))
    assert isinstance(error, GatewayError)
    assert (str(error), error.code, error.detail, error.retry_after_s) == ("try again", "overloaded", {"limit": 4}, 2)
    assert error.transient


@pytest.mark.parametrize(
    ("response", "sentence", "transient"),
    [
        (reply(502, text="<html>Bad Gateway"), "answered 502 Bad Gateway, but not as a gateway does", True),
        (reply(200, text="<html>"), "answered 200 OK", False),
        (reply(404, json={"error": "no such page"}), "answered 404", False),
        (reply(308, headers={"Location": "https://here/"}), "redirects to https://here/", False),
    ],
)
def test_error_of_another_server_is_a_bad_reply(response, sentence, transient) -> None:
    error = replies.error(response)
    assert isinstance(error, BadReply)
    assert sentence in str(error)
    assert error.transient == transient


@pytest.mark.parametrize(("value", "seconds"), [("3", 3), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("soon", None)])
def test_retry_after_is_seconds_or_a_date(value, seconds) -> None:
    assert replies.error(reply(503, headers={"Retry-After": value})).retry_after_s == seconds


def test_reply_without_a_segmentation_or_list_is_a_bad_reply() -> None:
    with pytest.raises(BadReply, match="not with a segmentation"):
        replies.read(reply(200, text="<html>"), 0.1)
    with pytest.raises(BadReply, match="not with a list of models"):
        replies.models(reply(200, json=[]))


class TestStreamsBytes:
    HEADER = bytes.fromhex("01 02 0000 07000000 0000000000000440 01000000 02000000 0300000004000000 05000000 03000200")

    def test_frame_is_packed(self) -> None:
        assert wire.pack_frame(7, 2.5, b"JPEG") == bytes.fromhex("01 01 0000 07000000 0000000000000440") + b"JPEG"

    def test_mask_is_unpacked(self) -> None:
        import zlib

        frame = wire.unpack_reply(self.HEADER + zlib.compress(bytes(range(6))))
        assert (frame.sequence, frame.captured_s, frame.stages_us, frame.dropped) == (7, 2.5, (1, 2, 3, 4), 5)
        assert frame.mask is not None
        assert frame.mask.tolist() == np.arange(6).reshape(2, 3).tolist()

    @pytest.mark.parametrize("payload", [b"", b"nothing", bytes.fromhex("789c03000000000001")])
    def test_invalid_mask_is_a_bad_reply(self, payload: bytes) -> None:
        with pytest.raises(BadReply):
            wire.unpack_reply(self.HEADER + payload)

    @pytest.mark.parametrize("message", [b"", b"\x02" + HEADER[1:], b"\x01\x09" + HEADER[2:], b"\x01\x04" + HEADER[2:]])
    def test_message_of_another_version_is_a_bad_reply(self, message: bytes) -> None:
        with pytest.raises(BadReply):
            wire.unpack_reply(message)
