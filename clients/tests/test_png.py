"""The class ids of an indexed PNG, by any encoder."""

import io

import numpy as np
import pytest
from PIL import Image

from segclient.errors import BadReply
from segclient.png import read_indexed


@pytest.fixture
def mask() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (13, 21), np.uint8)


def written(mask: np.ndarray, **options) -> bytes:
    """A PNG by Pillow, which filters rows and packs small palettes, with one colour for all ids."""
    image = Image.fromarray(mask).convert("L")
    image.putpalette(bytes(768))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


def test_class_ids_of_the_same_colour_are_read(mask) -> None:
    read, text = read_indexed(written(mask))
    assert read.dtype == np.uint8
    assert (read == mask).all()
    assert text == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda png: b"\xff\xd8\xff" + png[3:],
        lambda png: png[:-30],
        lambda png: png[:40],
        lambda png: b"",
        lambda png: png[:25] + b"\x02" + png[26:],
    ],
    ids=["JPEG", "cut off", "no pixels", "empty", "RGB"],
)
def test_invalid_mask_png_is_a_bad_reply(mask, spoil) -> None:
    with pytest.raises(BadReply, match="the mask"):
        read_indexed(spoil(written(mask)))
