"""The binary messages of a stream, byte by byte."""

import struct

import pytest

from gateway.errors import BadRequest
from gateway.flow.timings import Timings
from gateway.stream import wire
from gateway.stream.wire import Frame


def test_frame_is_a_header_and_an_image():
    frame = Frame(bytes([1, 1, 0, 0, 7, 0, 0, 0]) + struct.pack("<d", 1.5) + b"image")
    assert frame.image() == b"image"


@pytest.mark.parametrize(
    ("message", "match"),
    [
        (b"", "0 bytes; a frame is a header of 16 bytes and an image"),
        (bytes(16), "16 bytes"),
        (b"\x02\x01" + bytes(15), "version 2; expected 1"),
        (b"\x01\x03" + bytes(15), "kind 3; expected 1"),
        (b"\x01\x01\x00\x80" + bytes(13), "flags 32768; expected 0"),
    ],
)
def test_invalid_frame_is_refused(message, match):
    with pytest.raises(BadRequest, match=match):
        Frame(message).image()


def test_capture_time_is_echoed_bit_for_bit():
    not_a_number = b"\x01\x02\x03\x04\x05\x06\xf8\x7f"
    frame = Frame(b"\x01\x01\0\0" + b"\xff\xff\xff\xff" + not_a_number + b"image")
    reply = wire.reply(wire.MASK, frame.echo, Timings(), 0, 0, 0, b"")
    assert reply[4:16] == b"\xff\xff\xff\xff" + not_a_number


def test_reply_to_a_message_without_a_whole_header_echoes_zeros():
    assert wire.reply(wire.ERROR, Frame(b"\x01\x01\0\0\x07").echo, Timings(), 0, 0, 0, b"{}")[4:16] == bytes(12)


def test_times_and_counts_are_clamped_to_their_fields():
    timings = Timings()
    timings.seconds |= {"decode": 1e-6, "queue": 5_000.0}
    reply = wire.reply(wire.OVERLAY, Frame(bytes(17)).echo, timings, 2**40, 640, 480, b"payload")
    assert struct.unpack("<5I2H", reply[16:40]) == (1, 2**32 - 1, 0, 0, 2**32 - 1, 640, 480)
    assert reply[40:] == b"payload"
