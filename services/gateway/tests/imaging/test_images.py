"""Decoding: the pixels of each kind of image, and which are refused."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from gateway.errors import ImageTooLarge, UndecodableImage
from gateway.imaging import images
from segstack_testing.images import encode, save


def decode(data):
    return images.decode(data, images.check_size(data, max_pixels=1_000_000))


def chunk(kind, payload):
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "options", "off_by"), [("PNG", {}, 0), ("WEBP", {"lossless": True}, 0), ("JPEG", {}, 8)]
)
def test_pixels_are_rgb(photo, kind, options, off_by):
    decoded = decode(encode(photo, kind, **options))
    assert decoded.dtype == np.uint8
    assert decoded.shape == photo.shape
    assert np.median(np.abs(decoded.astype(int) - photo)) <= off_by


NOISE = np.random.default_rng(0).integers(0, 256, (24, 40, 4), np.uint8)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("transparent", [None, 3])
def test_png_of_few_bits_or_with_a_transparent_colour(mode, transparent):
    image = Image.fromarray(NOISE[..., :3]).convert(mode)
    options = {} if transparent is None else {"transparency": (3, 3, 3) if mode == "RGB" else transparent}
    decoded = decode(save(image, "PNG", **({} if mode == "1" else options)))
    assert np.array_equal(decoded, np.array(image.convert("RGB")))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_png_is_decoded_to_its_colours(bits):
    image = Image.fromarray(NOISE[..., :3]).quantize(2**bits)
    assert np.array_equal(decode(save(image, "PNG", bits=bits)), np.array(image.convert("RGB")))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True, "exact": True})])
def test_alpha_is_dropped_without_blending(kind, options):
    assert np.array_equal(decode(save(Image.fromarray(NOISE), kind, **options)), NOISE[..., :3])


def test_alpha_of_a_grey_png_is_dropped():
    image = Image.fromarray(np.ascontiguousarray(NOISE[..., :2]), "LA")
    assert np.array_equal(decode(save(image, "PNG")), NOISE[..., :1].repeat(3, 2))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_upper_8_of_16_bits_are_kept(channels):
    wide = np.random.default_rng(1).integers(0, 2**16, (24, 40, channels), np.uint16)
    done, data = cv2.imencode(".png", wide[..., ::-1] if channels == 3 else wide)
    assert done
    expected = (wide >> 8).astype(np.uint8)
    expected = {1: expected.repeat(3, 2), 3: expected, 4: expected[..., 2::-1]}[channels]
    assert np.array_equal(decode(data.tobytes()), expected)


def test_interlaced_png_is_decoded():
    # Pillow writes no interlaced PNG: Adam7's passes by hand, each row after its filter byte.
    rows = b""
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in NOISE[y::dy, x::dx, :3])
    data = png(chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 24, 8, 2, 0, 0, 1)), chunk(b"IDAT", zlib.compress(rows)))
    assert np.array_equal(decode(data), NOISE[..., :3])


def test_cmyk_is_converted_as_pillow_does(photo):
    data = save(Image.fromarray(photo).convert("CMYK"), "JPEG", quality=95)
    expected = np.array(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert np.abs(decode(data) - expected).max() <= 2


def test_grey_jpeg_fills_all_channels(photo):
    data = save(Image.fromarray(photo).convert("L"), "JPEG", quality=95)
    decoded = decode(data)
    assert (decoded == decoded[..., :1]).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_first_frame_of_an_animation_is_decoded(photo, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encode(photo, kind, save_all=True, append_images=[Image.fromarray(255 - photo)], **options)
    assert np.array_equal(decode(data), photo)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_truncated_image_is_refused(photo, kind):
    data = encode(photo, kind)
    for length in range(30, len(data), max(1, len(data) // 40)):
        with pytest.raises(UndecodableImage):
            decode(data[:length])


def test_damaged_png_is_refused(photo):
    data = bytearray(encode(photo, "PNG"))
    data[data.index(b"IDAT") + 10] ^= 0xFF
    with pytest.raises(UndecodableImage, match="damaged"):
        decode(bytes(data))


def test_pixels_are_counted_before_decoding():
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0))
    bomb = png(header, chunk(b"IDAT", zlib.compress(bytes(2**24))))
    assert len(bomb) < 17 * 1024
    with pytest.raises(ImageTooLarge, match="30000x30000"):
        images.check_size(bomb, 50_000_000)


def test_resize_stretches_bilinearly_with_half_pixel_centres():
    image = np.repeat(np.array([[0, 100]], np.uint8)[..., None], 3, 2)
    assert images.resize(image, 1, 4)[0, :, 0].tolist() == [0, 25, 75, 100]
    assert images.resize(image, 3, 2).shape == (3, 2, 3)
    assert images.resize(image, 1, 2) is image


def test_damaged_text_chunks_write_nothing_to_stderr(photo, capfd):
    sent = encode(photo, "PNG")
    damaged = chunk(b"tEXt", b"a\0b")[:-4] + bytes(4)
    after_header = 33
    sent = sent[:after_header] + 100 * damaged + sent[after_header:]
    assert np.array_equal(decode(sent), photo)
    assert capfd.readouterr().err == ""
