"""Importing CVAT's "Segmentation mask 1.1": every peculiarity of the format is a row.

A row of VALID has the resulting class ids; a row of INVALID has the file and the remedy in the message.
"""

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from trainer.datasets.class_colors import voc_color
from trainer.datasets.dataset import load_dataset
from trainer.errors import UserError
from trainer.sources.cvat.importer import import_cvat
from trainer.sources.writing import SplitConfig

LABELMAP = "# label:color_rgb:parts:actions\napple:220,40,50::\nbackground:0,0,0::\nleaf:60,170,75::\n"
PALETTE = {"background": (0, 0, 0), "apple": (220, 40, 50), "leaf": (60, 170, 75)}
LINES = ["apple", "background", "leaf"]
SUBSET = "ImageSets/Segmentation/default.txt"
MASK, OBJECTS, IMAGE = "SegmentationClass/a.png", "SegmentationObject/a.png", "JPEGImages/a.png"
HEIGHT, WIDTH = 4, 6

# Class ids as the data set has them: background 0, then the label map's order.
IDS = np.zeros((HEIGHT, WIDTH), np.uint8)
IDS[1:3, 1:3] = 1
IDS[3, 4:] = 2
BLANK = np.zeros_like(IDS)


def photo(seed, height=HEIGHT, width=WIDTH):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def colored(ids, *colors):
    return np.array(colors or list(PALETTE.values()), np.uint8)[ids]


def export_with(changes=None, without=()):
    """One frame ``a`` with an apple and a leaf, listed and drawn; ``changes`` add or replace files."""
    files = {
        "labelmap.txt": LABELMAP,
        SUBSET: "a\n",
        IMAGE: photo(0),
        MASK: colored(IDS),
        **(changes or {}),
    }
    return {name: content for name, content in files.items() if name not in without}


def frame(item, mask=None):
    """The files of one more frame."""
    return {f"JPEGImages/{item}.png": photo(1)} | ({} if mask is None else {f"SegmentationClass/{item}.png": mask})


def renamed(item):
    """The frame ``a`` under another id."""
    files = {SUBSET: f"{item}\n", **frame(item, colored(IDS))}
    return export_with(files, without=[IMAGE, MASK])


def palette_png(ids):
    image = Image.fromarray(ids)
    image.putpalette(np.array(list(PALETTE.values()), np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG")
    assert Image.open(file).mode == "P"
    return file.getvalue()


def meta(labels, colored=(), colors=()):
    """``dataset_meta.json``."""
    numbered = {str(number): name for number, name in enumerate(colored)}
    return json.dumps({"labels": labels, "label_map": numbered, "segmentation_colors": list(colors)})


def with_meta(text, mask):
    return export_with({"dataset_meta.json": text, MASK: mask}, without=["labelmap.txt"])


MANY_OBJECTS = np.arange(16 * 18).reshape(16, 18)  # 288 objects of a pixel each; number 0 is none
WRAPPED = np.array([voc_color(number % 256) for number in MANY_OBJECTS.ravel()], np.uint8).reshape(16, 18, 3)

VALID = {
    "a listed frame with its mask": (export_with(), {"a": IDS}),
    # label map
    "background is not the first label": (export_with(), {"a": IDS}),
    "no comment line": (export_with({"labelmap.txt": LABELMAP.partition("\n")[2]}), {"a": IDS}),
    "blank lines and more comments": (export_with({"labelmap.txt": f"\n# mine\n\n{LABELMAP}\n"}), {"a": IDS}),
    "a byte-order mark and CRLF": (
        export_with(
            {
                "labelmap.txt": b"\xef\xbb\xbf" + LABELMAP.replace("\n", "\r\n").encode(),
                SUBSET: b"\xef\xbb\xbfa\r\n",
            }
        ),
        {"a": IDS},
    ),
    "no background at all: it is black": (
        export_with({"labelmap.txt": "apple:220,40,50::\nleaf:60,170,75::\n"}),
        {"a": IDS},
    ),
    "a black label of another name is background": (
        export_with({"labelmap.txt": LABELMAP.replace("background", "soil")}),
        {"a": IDS},
    ),
    "a coloured background paints unlabelled pixels": (
        export_with(
            {
                "labelmap.txt": LABELMAP.replace("0,0,0", "10,20,30"),
                MASK: colored(IDS, (10, 20, 30), PALETTE["apple"], PALETTE["leaf"]),
            }
        ),
        {"a": IDS},
    ),
    "no colours: the palette's by position, so background is red and black is apple": (
        export_with(
            {
                "labelmap.txt": "apple:::\nbackground:::\ncar:::\n",
                MASK: colored(IDS, (128, 0, 0), (0, 0, 0), (0, 128, 0)),
            }
        ),
        {"a": IDS},
    ),
    "all three channels count": (
        export_with(
            {
                "labelmap.txt": "background:0,0,0::\napple:9,8,7::\nleaf:10,8,7::\n",
                MASK: colored(IDS, (0, 0, 0), (9, 8, 7), (10, 8, 7)),
            }
        ),
        {"a": IDS},
    ),
    "dataset_meta.json in its place": (
        with_meta(meta(LINES, LINES, [PALETTE[name] for name in LINES]), colored(IDS)),
        {"a": IDS},
    ),
    "dataset_meta.json that leaves the colours to the palette": (
        with_meta(meta(["background", "apple", "leaf"]), colored(IDS, *map(voc_color, range(3)))),
        {"a": IDS},
    ),
    # lists
    "a listed frame without PNG is all background": (
        export_with({SUBSET: "a\nempty\n", **frame("empty")}),
        {"a": IDS, "empty": BLANK},
    ),
    "several subset files are one list": (
        export_with(
            {
                "ImageSets/Segmentation/Train.txt": "b\n\na\n",
                "ImageSets/Segmentation/Validation.txt": "c\n",
                **frame("b"),
                **frame("c"),
            }
        ),
        {"a": IDS, "b": BLANK, "c": BLANK},
    ),
    "a PNG that is not listed is taken": (export_with(frame("b", colored(IDS))), {"a": IDS, "b": IDS}),
    "an image neither listed nor drawn is unlabelled": (export_with(frame("b")), {"a": IDS}),
    "a listed frame without image is skipped": (export_with({SUBSET: "a\nlost\n"}), {"a": IDS}),
    "an id with folders, dots and spaces": (renamed("day 1/cam.left/f 0.1"), {"day 1/cam.left/f 0.1": IDS}),
    "an id that ends as an image does": (renamed("a.jpg"), {"a.jpg": IDS}),
    "an id in any script": (renamed("ä/日本"), {"ä/日本": IDS}),
    # masks
    "an index PNG counts the label map's lines": (
        export_with({MASK: np.array([LINES.index(name) for name in PALETTE], np.uint8)[IDS]}),
        {"a": IDS},
    ),
    "a palette PNG is read by its colours": (export_with({MASK: palette_png(IDS)}), {"a": IDS}),
    "objects that cover every class": (export_with({OBJECTS: colored(np.where(IDS, 1, 0))}), {"a": IDS}),
    "more objects than the palette has colours: 256 is black": (
        export_with({IMAGE: photo(0, 16, 18), MASK: colored(np.minimum(MANY_OBJECTS, 1)), OBJECTS: WRAPPED}),
        {"a": np.minimum(MANY_OBJECTS, 1)},
    ),
    # as users repack zips
    "what macOS adds": (
        export_with({"__MACOSX/JPEGImages/._a.png": b"\0\5", "JPEGImages/._a.png": b"\0\5", ".DS_Store": b""}),
        {"a": IDS},
    ),
}


@pytest.fixture
def imported(tmp_path, write_files):
    """Import these files; returns (report, data set, the class ids of each item on disk)."""

    def run(files, **options):
        write_files(tmp_path / "export", files)
        report = import_cvat([tmp_path / "export"], tmp_path / "out", **options)
        dataset = load_dataset(tmp_path / "out")
        masks = {i.id: cv2.imread(str(dataset.root / i.mask), cv2.IMREAD_UNCHANGED) for i in dataset.items}
        return report, dataset, masks

    return run


@pytest.mark.parametrize(("files", "expected"), VALID.values(), ids=VALID)
def test_valid_export_gives_these_class_ids(imported, files, expected):
    _, _, masks = imported(files)
    assert masks.keys() == expected.keys()
    for item, ids in expected.items():
        assert masks[item].dtype == np.uint8
        np.testing.assert_array_equal(masks[item], ids)


REMEDY_SIZE = "never resize or rotate one without the other"
REMEDY_EXPORT = "export it again"

INVALID = {
    # label map
    "a field missing": (export_with({"labelmap.txt": "a:1,2,3\n"}), "export: labelmap.txt, line 1", "Fix the file"),
    "a colon in a name": (export_with({"labelmap.txt": "a:b:1,2,3::\n"}), "labelmap.txt, line 1", "cannot contain a"),
    "a colour of two numbers": (export_with({"labelmap.txt": "a:1,2::\n"}), "labelmap.txt, line 1", "values 0 to 255"),
    "twin names": (export_with({"labelmap.txt": "a:1,1,1::\na:2,2,2::\n"}), "labelmap.txt", "give each label its own"),
    "twin colours": (export_with({"labelmap.txt": "a:1,1,1::\nb:1,1,1::\n"}), "labelmap.txt", "give each its own"),
    "only background": (export_with({"labelmap.txt": "background:0,0,0::\n"}), "labelmap.txt", "Fix the file, or ex"),
    "a label map in UTF-16": (export_with({"labelmap.txt": b"\xff\xfe\0"}), "labelmap.txt", "save it as UTF-8"),
    "no label map": (
        export_with(without=["labelmap.txt"]),
        "export: does not contain labelmap.txt or dataset_meta.json",
        "Menu",
    ),
    "dataset_meta.json that is no JSON": (with_meta("labels:", colored(IDS)), "dataset_meta.json", "export again from"),
    "dataset_meta.json of another tool": (with_meta("[]", colored(IDS)), "dataset_meta.json", "export again from CVAT"),
    "dataset_meta.json with too few colours": (
        with_meta(meta(LINES, LINES, [(0, 0, 0)]), colored(IDS)),
        "dataset_meta.json: has 1 segmentation_colors for 3",
        "export again from CVAT",
    ),
    # lists
    "an id that climbs out": (export_with({SUBSET: "../a\n"}), f"{SUBSET}: lists '../a'", "leaves the export"),
    "an absolute id": (export_with({SUBSET: "/a\n"}), f"{SUBSET}: lists '/a'", "leaves the export"),
    "a list in Latin-1": (export_with({SUBSET: b"\xe4\n"}), SUBSET, "save it as UTF-8"),
    # masks
    "an unknown colour": (export_with({MASK: colored(IDS) + 1}), f"{MASK}: 24 pixels", "never resized or saved as J"),
    "an index outside the map": (export_with({MASK: IDS + 1}), f"{MASK}: contains index 3", "3 lines (0 to 2)"),
    "a mask of 16 bits": (
        export_with({MASK: cv2.imencode(".png", colored(IDS).astype(np.uint16))[1].tobytes()}),
        f"{MASK}: has 16 bits",
        "expected 8",
    ),
    "an empty mask file": (export_with({MASK: b""}), f"{MASK}: cannot be decoded", REMEDY_EXPORT),
    "half a mask": (export_with({MASK: cv2.imencode(".png", IDS)[1].tobytes()[:40]}), MASK, REMEDY_EXPORT),
    "a mask of another size": (
        export_with({MASK: colored(IDS.T)}),
        f"{MASK}: is 4x6 but its image is 6x4 (width x height, rotated as its EXIF orientation says)",
        REMEDY_SIZE,
    ),
    "masks saved as JPEG": (
        export_with({"SegmentationClass/a.jpg": colored(IDS)}, without=[MASK]),
        "SegmentationClass/ contains 1 files that are not PNG, for instance SegmentationClass/a.jpg",
        "use the PNGs of the export",
    ),
    "no mask at all": (export_with(without=[MASK]), "export: contains no mask", "export again from CVAT"),
    "every unlabelled pixel in the first label's colour": (
        export_with({MASK: colored(np.where(IDS, IDS, 1)), OBJECTS: colored(np.where(IDS, 1, 0))}),
        f"{MASK}: 18 pixels are 'apple' although no object is there",
        "give --trust-unlabelled",
    ),
    "objects of another size": (
        export_with({OBJECTS: colored(IDS.T)}),
        f"{MASK}: is 6x4 but its SegmentationObject is 4x6",
        REMEDY_EXPORT,
    ),
    # images
    "an image that is none": (export_with({IMAGE: b"GIF89a"}), f"{IMAGE}: cannot be decoded", "replace it, or rem"),
    "half an image": (
        export_with({IMAGE: cv2.imencode(".jpg", photo(0, 64, 96))[1].tobytes()[:4000]}),
        f"{IMAGE}: cannot be decoded",
        "replace it, or remove its label",
    ),
    "two images of one id": (
        export_with({"JPEGImages/a.jpg": photo(1)}),
        "JPEGImages/a.jpg share one id",
        "remove or rename one",
    ),
    "no images": (export_with(without=[IMAGE]), "export: contains no images", "give --images FOLDER"),
    "no image that matches": (
        export_with({"JPEGImages/IMG_7.png": photo(0)}, without=[IMAGE]),
        "export: no image belongs to any of its 1 labels",
        "a label is named 'a', an image 'IMG_7'",
    ),
    # several at once
    "several masks": (
        export_with({SUBSET: "a\nb\n", **frame("b", colored(IDS.T)), MASK: colored(IDS.T)}),
        "2 of 2 labels cannot be used; nothing was imported. The first:\n  ",
        REMEDY_SIZE,
    ),
    "one bad mask after many good ones": (
        export_with({SUBSET: "0\n1\n2\n3\na\n", **frame(0), **frame(1), **frame(2), **frame(3), MASK: IDS + 1}),
        f"{MASK}: contains index 3",
        "3 lines (0 to 2)",
    ),
}


@pytest.mark.parametrize(("files", "names", "remedy"), INVALID.values(), ids=INVALID)
def test_invalid_export_names_the_file_and_the_remedy(tmp_path, write_files, files, names, remedy):
    write_files(tmp_path / "export", files)
    with pytest.raises(UserError) as refusal:
        import_cvat([tmp_path / "export"], tmp_path / "out")
    assert names in str(refusal.value)
    assert remedy in str(refusal.value)
    assert [p.name for p in tmp_path.iterdir()] == ["export"]  # nothing half-written


class TestZips:
    def test_zip_gives_the_same_as_its_folder(self, tmp_path, write_files, zip_bytes):
        folder = write_files(tmp_path / "export", export_with())
        (tmp_path / "export.zip").write_bytes(zip_bytes(folder, "task_7"))
        import_cvat([folder], tmp_path / "from folder")
        import_cvat([tmp_path / "export.zip"], tmp_path / "from zip")
        names = sorted(p.relative_to(tmp_path / "from zip") for p in (tmp_path / "from zip").rglob("*.*"))
        assert [str(name) for name in names] == ["dataset.json", "images/a.png", "masks/a.png"]
        for name in names:
            assert (tmp_path / "from zip" / name).read_bytes() == (tmp_path / "from folder" / name).read_bytes()

    @pytest.mark.parametrize("size", [0.1, 0.5, 0.9])
    def test_truncated_zip_is_a_user_error(self, tmp_path, write_files, zip_bytes, size):
        whole = zip_bytes(write_files(tmp_path / "export", export_with()))
        (tmp_path / "export.zip").write_bytes(whole[: int(len(whole) * size)])
        with pytest.raises(UserError, match=r"export\.zip: is not a complete zip .*download the export again"):
            import_cvat([tmp_path / "export.zip"], tmp_path / "out")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["export", "export.zip"]


class TestReport:
    """Images and masks that were skipped or added are reported."""

    def test_classes_and_pixels(self, imported):
        report, dataset, _ = imported(export_with())
        assert [(c.id, c.name, c.color) for c in dataset.classes] == [
            (number, name, color) for number, (name, color) in enumerate(PALETTE.items())
        ]
        assert report.pixels == {"background": 18, "apple": 4, "leaf": 2}
        assert (report.images, report.blank) == (1, 0)

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            (export_with({SUBSET: "a\nempty\n", **frame("empty")}), "2 images (2 train, 0 validation, 0 test), 1 of t"),
            (export_with(frame("b", colored(IDS))), "1 mask has no line in ImageSets; it was imported: b"),
            (
                export_with({f"JPEGImages/{n}.png": photo(n) for n in range(4)}),
                "4 images have no label; they were skipped: 0, 1, 2, …",
            ),
            (export_with({SUBSET: "a\nlost\n"}), "1 label has no image; it was skipped: lost"),
        ],
    )
    def test_skipped_and_added_images_are_reported(self, imported, files, message):
        report, _, _ = imported(files)
        assert message in str(report)


class TestOptions:
    def test_unlisted_blank(self, imported):
        report, _, masks = imported(export_with(frame("b")), unlisted_blank=True)
        np.testing.assert_array_equal(masks["b"], BLANK)
        assert (report.unlabelled, report.imported_as_blank) == ([], ["b"])

    def test_trust_unlabelled(self, imported):
        files = export_with({OBJECTS: colored(np.where(IDS == 1, 1, 0))})
        _, _, masks = imported(files, trust_unlabelled=True)
        np.testing.assert_array_equal(masks["a"], IDS)

    def test_ignored_label(self, imported):
        report, dataset, masks = imported(export_with(), ignored=["apple"])
        assert [c.name for c in dataset.classes] == ["background", "leaf"]
        np.testing.assert_array_equal(masks["a"], np.array([0, 255, 1], np.uint8)[IDS])
        assert (report.ignored, report.pixels) == (4, {"background": 18, "leaf": 2})

    @pytest.mark.parametrize(
        ("ignored", "message"),
        [
            (["void"], "--ignore void: there is no such label; there are apple, leaf"),
            (["apple", "leaf"], "every label"),
        ],
    )
    def test_invalid_ignored_label_is_a_user_error(self, imported, ignored, message):
        with pytest.raises(UserError, match=message):
            imported(export_with(), ignored=ignored)

    def test_images_in_another_folder(self, imported, tmp_path, write_files):
        write_files(tmp_path / "photos", {"a.png": photo(0), "notes.txt": "", "b.png": photo(1)})
        report, _, masks = imported(export_with(without=[IMAGE]), images=tmp_path / "photos")
        np.testing.assert_array_equal(masks["a"], IDS)
        assert report.unlabelled == ["b"]

    def test_missing_images_folder_is_a_user_error(self, imported, tmp_path):
        with pytest.raises(UserError, match=r"--images .*photos: no such folder"):
            imported(export_with(), images=tmp_path / "photos")

    def test_frames_of_one_video_in_one_split(self, imported):
        frames = [f"{video}_{number:06d}" for video in ("street", "kitchen") for number in range(9)]
        files = {SUBSET: "\n".join(["a", *frames]), **{f"JPEGImages/{f}.png": photo(1) for f in frames}}
        report, dataset, _ = imported(export_with(files), split_config=SplitConfig(group_pattern="(.*)_"))
        assert {i.id: i.group for i in dataset.items} == {"a": None} | {f: f.split("_")[0] for f in frames}
        assert len({dataset.split_of(i) for i in dataset.items if i.group == "street"}) == 1
        assert "in 2 groups" in str(report)

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [("(.*", "'(.*' is not a regular expression"), ("video", "matches no image: an id is, for instance, 'a'")],
    )
    def test_invalid_group_pattern_is_a_user_error(self, imported, tmp_path, pattern, message):
        with pytest.raises(UserError) as refusal:
            imported(export_with(), split_config=SplitConfig(group_pattern=pattern))
        assert message in str(refusal.value)
        assert not (tmp_path / "out").exists()

    def test_existing_output_is_not_changed(self, imported, tmp_path, write_files):
        write_files(tmp_path, {"out/mine.txt": "precious"})
        with pytest.raises(UserError, match="out exists already: name a new folder with --output"):
            imported(export_with())
        assert [(p.name, p.read_text()) for p in (tmp_path / "out").iterdir()] == [("mine.txt", "precious")]
