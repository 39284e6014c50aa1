"""Format, size and completeness from the bytes alone, without decoding."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.errors import UndecodableImage, UnsupportedImage
from gateway.imaging.headers import check_complete, read_header, sniff
from segstack_testing.images import encode

NOISE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)


def file(kind, pixels=NOISE, **options):
    return encode(pixels, kind, **options)


FILES = {
    "jpeg": file("JPEG"),
    "jpeg-progressive": file("JPEG", progressive=True),
    "jpeg-restart-markers": file("JPEG", restart_marker_blocks=1),
    "jpeg-with-thumbnail": file("JPEG", exif=b"Exif\0\0" + file("JPEG", NOISE[:8, :8])),
    "jpeg-grey": file("JPEG", NOISE[..., 0]),
    "png": file("PNG"),
    "png-grey": file("PNG", NOISE[..., 0]),
    "webp-vp8": file("WEBP"),
    "webp-vp8l": file("WEBP", lossless=True),
    "webp-vp8x": file("WEBP", exif=Image.Exif().tobytes() + b"\0" * 8, icc_profile=b"\0" * 132),
}


@pytest.mark.parametrize("name", FILES)
def test_size_and_format_are_read_from_the_header(name):
    header = read_header(FILES[name])
    assert (header.format, header.width, header.height) == (name.split("-")[0], 53, 37)


@pytest.mark.parametrize("name", FILES)
def test_whole_file_is_complete_with_trailing_bytes(name):
    kind = sniff(FILES[name])
    check_complete(FILES[name], kind)
    check_complete(FILES[name] + b"\xff\xd9 and more", kind)


@pytest.mark.parametrize("name", FILES)
def test_file_cut_anywhere_is_incomplete(name):
    data = FILES[name]
    for length in range(20, len(data)):
        with pytest.raises(UndecodableImage, match="truncated"):
            check_complete(data[:length], sniff(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + b"\0" * 40,
        b"BM" + b"\0" * 60,
        b"II*\0" + b"\0" * 60,
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"<!doctype html>",
        b"\x89PNG",
        b"\xff\xd8",
    ],
)
def test_other_formats_are_refused_by_their_first_bytes(data):
    with pytest.raises(UnsupportedImage, match="not a JPEG, PNG or WebP"):
        read_header(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xd9",  # no frame
        b"\xff\xd8\xff\xe0\x00\x01",  # a segment shorter than its own length field
        b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x10\x01\x01\x11\x00",  # height 0
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"RIFF\x10\0\0\0WEBPALPH" + b"\0" * 40,
    ],
)
def test_header_without_a_size_is_refused(data):
    with pytest.raises(UndecodableImage):
        read_header(data)


def test_jpeg_of_more_than_100_scans_is_refused():
    # Each scan costs the decoder a walk over all blocks, even if it holds nothing.
    data = file("JPEG", progressive=True)
    start = data.index(b"\xff\xda")
    with pytest.raises(UndecodableImage, match="more than 100 scans"):
        check_complete(data[:start] + data[start:-2] * 100 + data[-2:], "jpeg")


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"\xff\xd8" + b"\xff\xfe\0\2" * 200_000, "JPEG has more than 100000 segments"),
        (b"\xff\xd8" + b"\xff" * 1_000_000, "no frame header"),
        (FILES["png"][:33] + b"\0\0\0\0tEXt\0\0\0\0" * 200_000, "PNG has more than 100000 chunks"),
    ],
)
def test_file_of_too_many_segments_is_refused(data, match):
    with pytest.raises(UndecodableImage, match=match):
        check_complete(data, read_header(data).format)


WEBP_CHUNKS = (b"VP8 ", b"VP8L", b"VP8X")
PREFIXES = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", *(b"RIFF\0\0\0\0WEBP" + c for c in WEBP_CHUNKS)]


@settings(deadline=None)
@given(st.sampled_from(PREFIXES), st.binary(max_size=200))
def test_arbitrary_bytes_give_a_size_or_a_documented_error(prefix, rest):
    with suppress(UndecodableImage, UnsupportedImage):
        header = read_header(prefix + rest)
        assert header.width > 0
        assert header.height > 0
        check_complete(prefix + rest, header.format)


@settings(deadline=None)
@given(st.sampled_from(sorted(FILES)), st.data())
def test_file_with_a_changed_byte_gives_a_size_or_a_documented_error(name, draw):
    data = bytearray(FILES[name])
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    with suppress(UndecodableImage, UnsupportedImage):
        check_complete(bytes(data), read_header(bytes(data)).format)
