"""Decoding: what becomes of each kind of image, and which are refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from gateway import images
from gateway.errors import ImageTooLarge, UndecodableImage

MAX_PIXELS = 1_000_000


@pytest.mark.parametrize(
    ("kind", "options", "off_by"), [("PNG", {}, 0), ("WEBP", {"lossless": True}, 0), ("JPEG", {}, 8)]
)
def test_pixels_are_rgb(photo, encode, kind, options, off_by):
    decoded = images.decode(encode(photo, kind, **options), MAX_PIXELS)
    assert decoded.dtype == np.uint8
    assert decoded.shape == photo.shape
    assert np.median(np.abs(decoded.astype(int) - photo)) <= off_by


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(photo, encode, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(photo, kind, exif=exif)
    as_seen = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")).astype(int)
    decoded = images.decode(data, MAX_PIXELS)
    assert decoded.shape == as_seen.shape
    assert np.median(np.abs(decoded - as_seen).max(2)) <= 3


def as_png(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
def test_odd_modes_become_rgb(photo, mode):
    if mode == "I;16":
        image = Image.fromarray(photo[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(photo).convert(mode)
    decoded = images.decode(as_png(image), MAX_PIXELS)
    assert decoded.shape == photo.shape
    assert decoded.dtype == np.uint8


def test_cmyk_jpeg_becomes_rgb(photo):
    buffer = io.BytesIO()
    Image.fromarray(photo).convert("CMYK").save(buffer, "JPEG")
    assert images.decode(buffer.getvalue(), MAX_PIXELS).shape == photo.shape


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_frame_of_an_animation_counts(photo, encode, kind):
    buffer = io.BytesIO()
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    frames[0].save(
        buffer, kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert np.array_equal(images.decode(buffer.getvalue(), MAX_PIXELS), photo)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_image_cut_short_is_refused(photo, encode, kind):
    data = encode(photo, kind)
    for length in range(30, len(data), max(1, len(data) // 40)):
        with pytest.raises(UndecodableImage):
            images.decode(data[:length], MAX_PIXELS)


def test_a_damaged_png_is_refused(photo, encode):
    data = bytearray(encode(photo, "PNG"))
    data[data.index(b"IDAT") + 10] ^= 0xFF
    with pytest.raises(UndecodableImage, match="damaged"):
        images.decode(bytes(data), MAX_PIXELS)


def test_pixels_are_counted_before_decoding():
    def chunk(kind, payload):
        return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(2**24))) + chunk(b"IEND", b"")
    assert len(bomb) < 17 * 1024
    with pytest.raises(ImageTooLarge, match="30000x30000"):
        images.decode(bomb, 50_000_000)


def test_resize_stretches_bilinearly_with_half_pixel_centres():
    image = np.repeat(np.array([[0, 100]], np.uint8)[..., None], 3, 2)
    assert images.resize(image, 1, 4)[0, :, 0].tolist() == [0, 25, 75, 100]
    assert images.resize(image, 3, 2).shape == (3, 2, 3)
    assert images.resize(image, 1, 2) is image
