"""Importing CVAT's "Segmentation mask 1.1": what becomes of every kind of frame, and every refusal."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from trainer.data.cvat import import_cvat
from trainer.data.dataset import load_dataset
from trainer.errors import UserError

LABELMAP = "# label:color_rgb:parts:actions\napple:220,40,50::\nbackground:0,0,0::\nleaf:60,170,75::\n"
PALETTE = {"background": (0, 0, 0), "apple": (220, 40, 50), "leaf": (60, 170, 75)}
LINES = ["apple", "background", "leaf"]
HEIGHT, WIDTH = 4, 6

# Class ids as the data set has them: background 0, then the label map's order.
IDS = np.zeros((HEIGHT, WIDTH), np.uint8)
IDS[1:3, 1:3] = 1
IDS[3, 4:] = 2


def picture(seed, height=HEIGHT, width=WIDTH):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def colored(ids):
    return np.array(list(PALETTE.values()), np.uint8)[ids]


def export_with(changes=None, without=()):
    """One frame ``a`` with an apple and a leaf, listed and drawn; ``changes`` add or replace files."""
    files = {
        "labelmap.txt": LABELMAP,
        "ImageSets/Segmentation/default.txt": "a\n",
        "JPEGImages/a.png": picture(0),
        "SegmentationClass/a.png": colored(IDS),
        **(changes or {}),
    }
    return {name: content for name, content in files.items() if name not in without}


@pytest.fixture
def imported(tmp_path, write_files):
    """Import these files; returns (report, data set, the class ids of each item as they lie on disk)."""

    def run(files, **options):
        write_files(tmp_path / "export", files)
        report = import_cvat([tmp_path / "export"], tmp_path / "out", **options)
        dataset = load_dataset(tmp_path / "out")
        masks = {i.id: cv2.imread(str(dataset.root / i.mask), cv2.IMREAD_UNCHANGED) for i in dataset.items}
        return report, dataset, masks

    return run


class TestWhatIsTaken:
    def test_a_listed_frame_with_its_mask(self, imported):
        report, dataset, masks = imported(export_with())
        assert [(c.id, c.name, c.color) for c in dataset.classes] == [
            (number, name, color) for number, (name, color) in enumerate(PALETTE.items())
        ]
        assert [(i.id, i.image, i.mask) for i in dataset.items] == [("a", "images/a.png", "masks/a.png")]
        np.testing.assert_array_equal(masks["a"], IDS)
        assert report.pixels == {"background": 18, "apple": 4, "leaf": 2}
        assert (report.images, report.blank) == (1, 0)

    def test_a_zip_is_as_good_as_a_folder(self, tmp_path, write_files, zip_bytes):
        folder = write_files(tmp_path / "export", export_with())
        (tmp_path / "export.zip").write_bytes(zip_bytes(folder, "task_7"))
        import_cvat([folder], tmp_path / "from folder")
        import_cvat([tmp_path / "export.zip"], tmp_path / "from zip")
        names = sorted(p.relative_to(tmp_path / "from zip") for p in (tmp_path / "from zip").rglob("*.*"))
        assert [str(name) for name in names] == ["dataset.json", "images/a.png", "masks/a.png"]
        for name in names:
            assert (tmp_path / "from zip" / name).read_bytes() == (tmp_path / "from folder" / name).read_bytes()

    def test_an_index_png_counts_the_label_map_s_lines(self, imported):
        lines = np.array([LINES.index(name) for name in PALETTE], np.uint8)
        _, _, masks = imported(export_with({"SegmentationClass/a.png": lines[IDS]}))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_a_palette_png_is_read_by_its_colours(self, imported):
        mask = Image.fromarray(IDS, mode=None)
        mask.putpalette(np.array(list(PALETTE.values()), np.uint8).tobytes())
        file = io.BytesIO()
        mask.save(file, "PNG")
        assert Image.open(file).mode == "P"
        _, _, masks = imported(export_with({"SegmentationClass/a.png": file.getvalue()}))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_all_three_channels_count(self, imported):
        """apple and leaf differ in none but red."""
        labelmap = "background:0,0,0::\napple:9,8,7::\nleaf:10,8,7::\n"
        mask = np.array([(0, 0, 0), (9, 8, 7), (10, 8, 7)], np.uint8)[IDS]
        _, _, masks = imported(export_with({"labelmap.txt": labelmap, "SegmentationClass/a.png": mask}))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_a_coloured_background_paints_what_nobody_labelled(self, imported):
        labelmap = "apple:220,40,50::\nbackground:10,20,30::\nleaf:60,170,75::\n"
        mask = colored(IDS)
        mask[IDS == 0] = (10, 20, 30)
        _, _, masks = imported(export_with({"labelmap.txt": labelmap, "SegmentationClass/a.png": mask}))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_a_byte_order_mark_and_crlf(self, imported):
        windows = {
            "labelmap.txt": b"\xef\xbb\xbf" + LABELMAP.replace("\n", "\r\n").encode(),
            "ImageSets/Segmentation/default.txt": b"\xef\xbb\xbfa\r\n",
        }
        report, _, masks = imported(export_with(windows))
        np.testing.assert_array_equal(masks["a"], IDS)
        assert not report.unlisted

    @pytest.mark.parametrize("item", ["day 1/cam.left/frame 000.1", "a.jpg", "ä/日本"])
    def test_an_id_may_hold_folders_spaces_dots(self, imported, item):
        files = {
            "ImageSets/Segmentation/default.txt": f"{item}\n",
            f"JPEGImages/{item}.png": picture(0),
            f"SegmentationClass/{item}.png": colored(IDS),
        }
        _, dataset, masks = imported(export_with(files, without=["JPEGImages/a.png", "SegmentationClass/a.png"]))
        assert [i.image for i in dataset.items] == [f"images/{item}.png"]
        np.testing.assert_array_equal(masks[item], IDS)

    def test_several_subset_files_are_one_list(self, imported):
        files = {
            "ImageSets/Segmentation/default.txt": "a\n",
            "ImageSets/Segmentation/Train.txt": "b\n\na\n",
            "ImageSets/Segmentation/Validation.txt": "c\n",
            **{f"JPEGImages/{item}.png": picture(1) for item in "bc"},
        }
        _, dataset, _ = imported(export_with(files))
        assert sorted(i.id for i in dataset.items) == ["a", "b", "c"]

    def test_jpeg_and_png_files_are_kept_byte_for_byte(self, imported, encode_image):
        jpeg = encode_image(picture(0), ".jpg")
        _, dataset, _ = imported(export_with({"JPEGImages/a.JPG": jpeg}, without=["JPEGImages/a.png"]))
        assert dataset.items[0].image == "images/a.jpg"
        assert (dataset.root / "images/a.jpg").read_bytes() == jpeg

    @pytest.mark.parametrize("suffix", [".bmp", ".tiff", ".webp"])
    def test_other_formats_become_png(self, imported, encode_image, suffix):
        data = encode_image(picture(0), suffix)
        _, dataset, _ = imported(export_with({f"JPEGImages/a{suffix}": data}, without=["JPEGImages/a.png"]))
        assert dataset.items[0].image == "images/a.png"
        np.testing.assert_array_equal(
            cv2.imread(str(dataset.root / "images/a.png")), cv2.imdecode(np.frombuffer(data, np.uint8), 1)
        )

    def test_an_image_that_exif_turns_is_stored_upright(self, imported):
        """CVAT shows it upright and draws its mask so; the pixels in the file lie on their side."""
        upright = picture(0).repeat(8, 0).repeat(8, 1)
        lying = Image.fromarray(np.rot90(upright))
        exif = Image.Exif()
        exif[0x0112] = 6  # shown after a turn of 90 degrees clockwise
        file = io.BytesIO()
        lying.save(file, "JPEG", exif=exif, quality=95)
        mask = colored(IDS.repeat(8, 0).repeat(8, 1))
        _, dataset, masks = imported(
            export_with(
                {"JPEGImages/a.jpg": file.getvalue(), "SegmentationClass/a.png": mask}, without=["JPEGImages/a.png"]
            )
        )
        as_it_lies = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        stored = cv2.imread(str(dataset.root / dataset.items[0].image), as_it_lies)
        assert stored.shape[:2] == masks["a"].shape == upright.shape[:2]
        assert np.abs(stored.astype(int) - upright).mean() < 25  # JPEG at half the colour resolution


class TestWhatIsNotBothListedAndDrawn:
    def test_listed_without_png_is_all_background(self, imported):
        files = {"ImageSets/Segmentation/default.txt": "a\nempty\n", "JPEGImages/empty.png": picture(1)}
        report, _, masks = imported(export_with(files))
        assert (report.images, report.blank, report.pixels["background"]) == (2, 1, 18 + HEIGHT * WIDTH)
        assert not report.unlabelled
        np.testing.assert_array_equal(masks["empty"], np.zeros((HEIGHT, WIDTH)))

    def test_a_png_that_is_not_listed_is_taken_and_reported(self, imported):
        files = {"JPEGImages/b.png": picture(1), "SegmentationClass/b.png": colored(IDS)}
        report, _, masks = imported(export_with(files))
        assert report.unlisted == ["b"]
        assert "1 have a mask but are not in ImageSets; they were taken: b" in str(report)
        np.testing.assert_array_equal(masks["b"], IDS)

    def test_an_image_alone_is_unlabelled_left_out_and_counted(self, imported):
        report, _, masks = imported(export_with({f"JPEGImages/{n}.png": picture(n) for n in range(4)}))
        assert report.unlabelled == ["0", "1", "2", "3"]
        assert "4 have an image but no label and were left out: 0, 1, 2, …" in str(report)
        assert set(masks) == {"a"}

    def test_a_label_without_image_is_left_out_and_counted(self, imported):
        report, _, masks = imported(export_with({"ImageSets/Segmentation/default.txt": "a\nlost\n"}))
        assert report.without_image == ["lost"]
        assert "1 have a label but no image and were left out: lost" in str(report)
        assert set(masks) == {"a"}


class TestImagesElsewhere:
    def test_they_are_found_by_id(self, imported, tmp_path, write_files):
        write_files(tmp_path / "photos", {"a.png": picture(0), "notes.txt": "", "b.png": picture(1)})
        report, _, masks = imported(export_with(without=["JPEGImages/a.png"]), images=tmp_path / "photos")
        np.testing.assert_array_equal(masks["a"], IDS)
        assert report.unlabelled == ["b"]

    def test_a_folder_that_is_not_there_is_refused(self, imported, tmp_path):
        with pytest.raises(UserError, match=r"--images .*photos: no such folder"):
            imported(export_with(), images=tmp_path / "photos")


SIXTEEN_BITS = cv2.imencode(".png", colored(IDS).astype(np.uint16))[1].tobytes()
HALF_A_JPEG = cv2.imencode(".jpg", picture(0, 64, 96))[1].tobytes()[:4000]
SUBSET = "ImageSets/Segmentation/default.txt"

REFUSED = {
    "a field missing": (export_with({"labelmap.txt": "apple:220,40,50\n"}), r"labelmap\.txt, line 1: expected name:R"),
    "a colon in a name": (export_with({"labelmap.txt": "a:b:1,2,3::\n"}), r"labelmap\.txt, line 1: .* hold a colon"),
    "twin names": (export_with({"labelmap.txt": "a:1,1,1::\na:2,2,2::\n"}), r"labelmap\.txt: the name 'a' stands tw"),
    "twin colours": (export_with({"labelmap.txt": "a:1,1,1::\nb:1,1,1::\n"}), r"labelmap\.txt: 'a' and 'b' share"),
    "a label map in UTF-16": (export_with({"labelmap.txt": b"\xff\xfe\0"}), r"labelmap\.txt: is not UTF-8 text"),
    "a stranger's colour": (
        export_with({"SegmentationClass/a.png": colored(IDS) + 1}),
        r"Class/a\.png: 24 pixels have",
    ),
    "an index outside the map": (export_with({"SegmentationClass/a.png": IDS + 1}), r"Class/a\.png: holds index 3"),
    "a mask of 16 bits": (export_with({"SegmentationClass/a.png": SIXTEEN_BITS}), r"Class/a\.png: has 16 bits"),
    "an empty mask file": (export_with({"SegmentationClass/a.png": b""}), r"Class/a\.png: cannot be decoded as a PNG"),
    "half a mask": (export_with({"SegmentationClass/a.png": SIXTEEN_BITS[:60]}), r"Class/a\.png: cannot be decoded"),
    "a mask of another size": (
        export_with({"SegmentationClass/a.png": colored(IDS.T)}),
        r"Class/a\.png: is 4x6 but its image is 6x4 \(width x height, turned as its EXIF orientation says\)",
    ),
    "masks that are not PNG": (
        export_with({"SegmentationClass/a.jpg": colored(IDS)}, without=["SegmentationClass/a.png"]),
        r"SegmentationClass/ holds 1 files that are not PNG, for instance SegmentationClass/a\.jpg",
    ),
    "no mask at all": (
        export_with(without=["SegmentationClass/a.png"]),
        r"holds no mask .*so every image would be background",
    ),
    "a class where there is no object": (
        export_with({"SegmentationObject/a.png": colored(np.where(IDS == 1, 1, 0))}),
        r"Class/a\.png: 2 pixels are 'leaf' although no object is there.*--trust-unlabelled",
    ),
    "objects of another size": (
        export_with({"SegmentationObject/a.png": colored(IDS.T)}),
        r"Class/a\.png: is 6x4 but its SegmentationObject is 4x6",
    ),
    "several masks at once": (
        export_with(
            {SUBSET: "a\nb\n", "JPEGImages/b.png": picture(1)}
            | {f"SegmentationClass/{n}.png": colored(IDS.T) for n in "ab"}
        ),
        r"(?s)2 of 2 labels cannot be used; nothing was imported. The first:\n  .*a\.png: is 4x6.*\n  .*b\.png: is 4x6",
    ),
    "no image at all": (
        export_with({"JPEGImages/a.png": b"GIF89a"}),
        r"JPEGImages/a\.png: cannot be decoded as an ima",
    ),
    "half an image": (
        export_with({"JPEGImages/a.png": HALF_A_JPEG}),
        r"JPEGImages/a\.png: cannot be decoded as an ima",
    ),
    "two images of one id": (
        export_with({"JPEGImages/a.jpg": picture(1)}),
        r"a\.png and .*JPEGImages/a\.jpg share one id",
    ),
    "no images": (export_with(without=["JPEGImages/a.png"]), "holds no images.*give --images FOLDER"),
    "no image that matches": (
        export_with({"JPEGImages/IMG_7.png": picture(0)}, without=["JPEGImages/a.png"]),
        "no image belongs to any of its 1 labels.*a label is called 'a', an image 'IMG_7'",
    ),
    "an id that climbs out": (export_with({SUBSET: "../a\n"}), r"default\.txt: lists '\.\./a', which leaves"),
    "an absolute id": (export_with({SUBSET: "/a\n"}), r"default\.txt: lists '/a', which leaves"),
    "a list in Latin-1": (export_with({SUBSET: b"\xe4\n"}), r"default\.txt: is not UTF-8 text"),
}


class TestUnlabelledPixels:
    """A class where SegmentationObject has no object: see the refusal above."""

    def test_objects_that_cover_every_class_are_trusted(self, imported):
        _, _, masks = imported(export_with({"SegmentationObject/a.png": colored(np.where(IDS, 1, 0))}))
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_a_person_may_say_that_they_are_right(self, imported):
        files = export_with({"SegmentationObject/a.png": colored(np.where(IDS == 1, 1, 0))})
        _, _, masks = imported(files, trust_unlabelled=True)
        np.testing.assert_array_equal(masks["a"], IDS)


class TestRefusals:
    """A label that can be doubted stops the import, and nothing of it is left on disk."""

    @pytest.mark.parametrize(("files", "said"), REFUSED.values(), ids=REFUSED)
    def test_of(self, tmp_path, write_files, files, said):
        write_files(tmp_path / "export", files)
        with pytest.raises(UserError, match=said):
            import_cvat([tmp_path / "export"], tmp_path / "out")
        assert [p.name for p in tmp_path.iterdir()] == ["export"]

    def test_what_was_written_before_the_damage_was_met_vanishes_too(self, tmp_path, write_files):
        sound = {f"JPEGImages/{n}.png": picture(n) for n in range(5)}
        listed = {SUBSET: "0\n1\n2\n3\n4\na\n"}
        write_files(tmp_path / "export", export_with({**sound, **listed, "SegmentationClass/a.png": IDS + 1}))
        with pytest.raises(UserError, match=r"Class/a\.png: holds index 3"):
            import_cvat([tmp_path / "export"], tmp_path / "out")
        assert [p.name for p in tmp_path.iterdir()] == ["export"]

    @pytest.mark.parametrize("size", [0.1, 0.5, 0.9])
    def test_half_a_zip(self, tmp_path, write_files, zip_bytes, size):
        whole = zip_bytes(write_files(tmp_path / "export", export_with()))
        (tmp_path / "export.zip").write_bytes(whole[: int(len(whole) * size)])
        with pytest.raises(UserError, match=r"export\.zip: is not a whole zip"):
            import_cvat([tmp_path / "export.zip"], tmp_path / "out")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["export", "export.zip"]

    def test_a_taken_folder_which_stays_as_it_was(self, tmp_path, write_files):
        write_files(tmp_path, {f"export/{name}": content for name, content in export_with().items()})
        write_files(tmp_path, {"out/mine.txt": "precious"})
        with pytest.raises(UserError, match="out exists already: name a new folder with --output"):
            import_cvat([tmp_path / "export"], tmp_path / "out")
        assert [(p.name, p.read_text()) for p in (tmp_path / "out").iterdir()] == [("mine.txt", "precious")]
