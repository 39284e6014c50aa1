"""What is found out about one pair of files."""

import cv2
import numpy as np
import pytest

from trainer.datasets.dataset import Item
from trainer.datasets.inspection import inspect

ITEM = Item("a", "images/a.png", "masks/a.png")
HEIGHT, WIDTH = 48, 64
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[8:40, 10:50] = 12
MASK[12:20, 12:20] = 255


def picture(seed=0, height=HEIGHT, width=WIDTH):
    """Smooth, as photographs are: its fingerprint does not hang on single pixels."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture
def inspected(tmp_path, write_files):
    def run(image=None, mask=MASK, item=ITEM):
        files = {item.image: picture() if image is None else image, item.mask: mask}
        write_files(tmp_path, {name: content for name, content in files.items() if content is not False})
        return inspect(tmp_path, item)

    return run


class TestAWholePair:
    def test_its_size_and_the_pixels_of_each_value(self, inspected):
        found = inspected()
        assert (found.height, found.width) == (HEIGHT, WIDTH)
        assert found.pixels == {0: HEIGHT * WIDTH - 32 * 40, 12: 32 * 40 - 64, 255: 64}
        assert found.faults == ()
        assert not found.blurred

    def test_equal_pixels_have_equal_digests_in_whatever_file(self, inspected, encode_image):
        again = cv2.imencode(".png", picture()[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
        assert again != encode_image(picture(), ".png")
        assert inspected().digest == inspected(again).digest
        assert inspected().digest != inspected(picture(1)).digest

    def test_what_looks_the_same_has_a_fingerprint_a_few_bits_away(self, inspected, encode_image):
        jpeg = Item("a", "images/a.jpg", "masks/a.png")
        original, recompressed, other = inspected(), inspected(encode_image(picture(), ".jpg"), item=jpeg), picture(1)
        assert original.digest != recompressed.digest
        assert (original.fingerprint ^ recompressed.fingerprint).bit_count() <= 3
        assert (original.fingerprint ^ inspected(other).fingerprint).bit_count() > 10


class TestFaults:
    """Each says the file, what is wrong and what to do."""

    @pytest.mark.parametrize(
        ("image", "said"),
        [
            (False, "images/a.png: is missing; restore the file"),
            (b"", "images/a.png: is empty; restore the file"),
            (b"GIF89a", "images/a.png: is neither a JPEG nor a PNG inside; convert it"),
            (b"\x89PNG\r\n\x1a\n and then nothing", "images/a.png: cannot be decoded"),
            (picture(height=HEIGHT // 2), "masks/a.png: is 64x48 but images/a.png is 64x24 (width x height)"),
        ],
    )
    def test_of_an_image(self, inspected, image, said):
        (fault,) = inspected(image).faults
        assert str(fault).startswith(said)

    @pytest.mark.parametrize("suffix", [".jpg", ".png"])
    def test_a_file_that_is_cut_off(self, inspected, encode_image, suffix):
        item = Item("a", f"images/a{suffix}", "masks/a.png")
        whole = encode_image(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), suffix)
        (fault,) = inspected(whole[: len(whole) // 2], item=item).faults
        assert str(fault).startswith(f"images/a{suffix}: cannot be decoded, as it is damaged or not whole")

    def test_an_image_that_exif_turns(self, inspected, encode_image):
        """Orientation 6: a quarter turn to the right."""
        tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
        body = b"Exif\x00\x00" + tiff
        jpeg = encode_image(picture(), ".jpg")
        turned = jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body + jpeg[2:]
        (fault,) = inspected(turned).faults
        assert fault.what == "is turned by its EXIF orientation, which training does not read"

    @pytest.mark.parametrize(
        ("mask", "said"),
        [
            (False, "is missing"),
            (picture(), "is not a PNG of one grey channel of 8 bits"),
            (MASK.astype(np.uint16), "is not a PNG of one grey channel of 8 bits"),
            (b"\xff\xd8\xff\xe0", "is not a PNG inside"),
            (b"\x89PNG\r\n\x1a\n", "cannot be decoded, as it is damaged or not whole"),
        ],
    )
    def test_of_a_mask(self, inspected, mask, said):
        (fault,) = inspected(mask=mask).faults
        assert (fault.file, fault.what) == ("masks/a.png", said)

    def test_of_both(self, inspected):
        assert [fault.file for fault in inspected(False, False).faults] == ["images/a.png", "masks/a.png"]


class TestBlur:
    @pytest.mark.parametrize("size", [(40, 30), (100, 75)])
    def test_a_mask_resized_by_interpolation_is_seen_by_its_borders(self, inspected, size):
        smooth = cv2.resize(MASK, size, interpolation=cv2.INTER_LINEAR)
        assert inspected(picture(0, *size[::-1]), smooth).blurred

    @pytest.mark.parametrize("size", [(40, 30), (100, 75)])
    def test_nearest_neighbour_leaves_nothing_between(self, inspected, size):
        assert not inspected(picture(0, *size[::-1]), cv2.resize(MASK, size, interpolation=cv2.INTER_NEAREST)).blurred

    def test_thin_things_and_many_classes_are_no_blur(self, inspected):
        lines = np.zeros((HEIGHT, WIDTH), np.uint8)
        lines[:, ::4], lines[::6] = 5, 9
        assert not inspected(mask=lines).blurred
        blocks = np.arange(HEIGHT * WIDTH // 64, dtype=np.uint8).reshape(6, 8).repeat(8, 0).repeat(8, 1)
        assert not inspected(mask=blocks).blurred
