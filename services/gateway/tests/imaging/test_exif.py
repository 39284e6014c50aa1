"""EXIF orientation, as viewers apply it."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from gateway.imaging import images
from gateway.imaging.exif import orientation
from gateway.imaging.headers import exif_block, sniff
from segstack_testing.images import encode


def decode(data):
    return images.decode(data, images.check_size(data, max_pixels=1_000_000))


def block(value, order="<", kind=3, count=1, before=()):
    entries = [(0x010F, 2, 4, 0), *before, (0x0112, kind, count, value)]
    return struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(entries)) + b"".join(
        struct.pack(f"{order}HHIHH", *entry, 0) for entry in entries
    )


@pytest.fixture
def turned(photo):
    """``turned(kind, orientation, **options)``: the photo with this EXIF orientation."""

    def make(kind, value, **options):
        exif = Image.Exif()
        exif[0x0112] = value
        return encode(photo, kind, exif=exif, **options)

    return make


def as_seen(data):
    return np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")).astype(int)


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_image_is_decoded_in_its_exif_orientation(turned, kind, value):
    data = turned(kind, value)
    seen, decoded = as_seen(data), decode(data)
    assert decoded.shape == seen.shape
    assert np.median(np.abs(decoded - seen).max(2)) <= 3


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animation_is_decoded_in_its_exif_orientation(turned, photo, kind, value):
    data = turned(kind, value, save_all=True, append_images=[Image.fromarray(255 - photo)])
    still = decode(turned(kind, value)).astype(int)
    decoded = decode(data)
    assert decoded.shape == still.shape
    assert np.median(np.abs(decoded - still).max(2)) <= 3


def test_png_may_have_exif_at_its_end(turned):
    data = turned("PNG", 6)
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    moved = data[:start] + data[end:-12] + data[start:end] + data[-12:]
    assert np.array_equal(decode(moved), decode(data))


def test_exif_of_a_thumbnail_is_ignored(turned, jpeg):
    with_thumbnail = (
        b"\xff\xd8\xff\xe1" + struct.pack(">H", 8 + len(block(6)) + len(jpeg)) + b"Exif\0\0" + block(6) + jpeg
    )
    data = with_thumbnail + turned("JPEG", 3)[2:]
    assert decode(data).shape == (128, 96, 3)  # the first block counts


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order):
    assert orientation(block(8, order)) == 8
    assert orientation(block(5, order, before=[(0x0110, 2, 9, 0)] * 20)) == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif",
        block(0),
        block(9),
        block(6, kind=4),
        block(6, count=2),
        block(6)[:-5],
        block(6).replace(b"*", b"+"),
        struct.pack("<2sHIH", b"II", 42, 2**32 - 1, 1),
        struct.pack("<2sHIH", b"II", 42, 8, 65535),
    ],
)
def test_invalid_exif_means_no_rotation(data):
    assert orientation(data) == 1


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_arbitrary_exif_gives_an_orientation(data):
    assert 1 <= orientation(b"II*\0\x08\0\0\0" + data) <= 8


def test_file_without_exif_has_an_empty_block(jpeg, photo):
    for data in (jpeg, encode(photo, "PNG"), encode(photo, "WEBP")):
        assert exif_block(data, sniff(data)) == b""
