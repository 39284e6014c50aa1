"""Writing an imported data set: formats, order, memory, errors."""

import io
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from contract import ClassInfo
from trainer.datasets.dataset import load_dataset
from trainer.errors import UserError
from trainer.sources.images import EncodedImage
from trainer.sources.writing import DEFAULT_SPLIT, ImportReport, LabelledImage, SplitConfig, write_dataset

CLASSES = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "apple", (220, 40, 50)))


def photo(seed, height=4, width=6):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def labelled(item_id, name, data, mask=None):
    return LabelledImage(
        item_id, EncodedImage(name, lambda: data), lambda h, w: np.ones((h, w), np.uint8) if mask is None else mask
    )


@pytest.fixture
def write(tmp_path):
    """``write([labelled, …])``: the data set."""

    def run(images, total=None, **options):
        total = len(images) if total is None else total
        write_dataset(images, total, CLASSES, tmp_path / "out", DEFAULT_SPLIT, ImportReport(), **options)
        return load_dataset(tmp_path / "out")

    return run


class TestImages:
    @pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png"])
    def test_jpeg_and_png_files_are_kept_byte_for_byte(self, write, encode_image, suffix):
        data = encode_image(photo(0), suffix)
        dataset = write([labelled("a", f"a{suffix}", data)])
        assert dataset.items[0].image == f"images/a{suffix.lower()}"
        assert (dataset.root / dataset.items[0].image).read_bytes() == data

    @pytest.mark.parametrize("suffix", [".bmp", ".tiff", ".webp"])
    def test_other_formats_become_png(self, write, encode_image, suffix):
        data = encode_image(photo(0), suffix)
        dataset = write([labelled("a", f"a{suffix}", data)])
        assert dataset.items[0].image == "images/a.png"
        np.testing.assert_array_equal(
            cv2.imread(str(dataset.root / "images/a.png")), cv2.imdecode(np.frombuffer(data, np.uint8), 1)
        )

    @pytest.mark.parametrize("container", ["JPEG", "PNG", "WEBP"])
    def test_rotated_image_is_stored_upright(self, write, container):
        """It was labelled as it is shown; the pixels in the file are rotated."""
        upright = photo(0).repeat(8, 0).repeat(8, 1)
        exif = Image.Exif()
        exif[0x0112] = 6  # shown after a turn of 90 degrees clockwise
        file = io.BytesIO()
        Image.fromarray(np.rot90(upright)).save(file, container, exif=exif, quality=95)
        dataset = write([labelled("a", f"a.{container.lower()}", file.getvalue())])
        unrotated = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        stored = cv2.imread(str(dataset.root / dataset.items[0].image), unrotated)
        assert stored.shape == upright.shape
        assert np.abs(stored.astype(int) - upright).mean() < 25  # JPEG at half the colour resolution


class TestManyImages:
    def test_images_keep_their_order_and_few_are_held_at_a_time(self, write, encode_image):
        data = encode_image(photo(0), ".png")
        ahead, most, lock = 0, 0, threading.Lock()

        def images():
            nonlocal ahead, most
            for number in range(400):
                with lock:
                    ahead += 1
                    most = max(most, ahead)
                yield LabelledImage(f"{number:03d}", EncodedImage("a.png", lambda: data), mask)

        def mask(height, width):
            nonlocal ahead
            with lock:
                ahead -= 1
            return np.ones((height, width), np.uint8)

        dataset = write(images(), total=400)
        assert [item.id for item in dataset.items] == [f"{number:03d}" for number in range(400)]
        assert most < 200

    def test_all_faults_are_counted_and_the_first_shown(self, write, encode_image, tmp_path):
        good = labelled("good", "good.png", encode_image(photo(0), ".png"))
        with pytest.raises(UserError) as refusal:
            write([good, *(labelled(f"bad{n}", f"bad{n}.png", b"") for n in range(9))])
        first, *shown = str(refusal.value).splitlines()
        assert first == "9 of 10 labels cannot be used; nothing was imported. The first:"
        assert [line.split(":")[0] for line in shown] == ["  bad0.png", "  bad1.png", "  bad2.png"]
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
    def test_interrupted_import_leaves_nothing(self, write, encode_image, tmp_path, error):
        data = encode_image(photo(0), ".png")

        def images():
            for number in range(50):
                yield labelled(str(number), "a.png", data)
            raise error

        with pytest.raises(error):
            write(images(), total=99)
        assert list(tmp_path.iterdir()) == []

    def test_importer_may_reject_the_whole_set(self, write, encode_image, tmp_path):
        def accept(report):
            raise UserError(f"{report.pixels['apple']} apples are too many")

        with pytest.raises(UserError, match="24 apples are too many"):
            write([labelled("a", "a.png", encode_image(photo(0), ".png"))], accept=accept)
        assert list(tmp_path.iterdir()) == []


class TestSplitConfig:
    @pytest.mark.parametrize(
        ("pattern", "group"),
        [(None, None), ("(.*)_", "day1/video"), ("^[^/]+", "day1"), ("(x)?_", None), ("nothing", None)],
    )
    def test_group_is_the_first_group_or_the_whole_match(self, pattern, group):
        assert SplitConfig(group_pattern=pattern).group("day1/video_000001") == group

    def test_splits_of_the_source_are_kept(self):
        splits = {"train", "validation", "test"}
        assert [DEFAULT_SPLIT.keep("a", s, splits) for s in sorted(splits)] == sorted(splits)

    def test_training_images_become_validation_images_if_a_source_has_none(self):
        kept = [DEFAULT_SPLIT.keep(str(n), "train", {"train", "test"}) for n in range(300)]
        assert 10 < kept.count("validation") < 60
        assert DEFAULT_SPLIT.keep("1", "test", {"train", "test"}) == "test"
