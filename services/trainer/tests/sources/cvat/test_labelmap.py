"""labelmap.txt: the class of each colour and line."""

import numpy as np
import pytest

from trainer.datasets.class_colors import voc_color
from trainer.errors import UserError
from trainer.sources.cvat.labelmap import parse_labelmap

BLACK = (0, 0, 0)
RED, GREEN = (220, 40, 50), (60, 170, 75)
COMMENT = "# label:color_rgb:parts:actions\n"


def classes_of(text):
    """Name and colour by id."""
    classes = parse_labelmap(text).classes
    assert [c.id for c in classes] == list(range(len(classes)))
    return [(c.name, c.color) for c in classes]


class TestClasses:
    """Background is id 0, the others follow in the file's order."""

    @pytest.mark.parametrize(
        ("text", "classes"),
        [
            pytest.param(
                COMMENT + "apple:220,40,50::\nbackground:0,0,0::\nleaf:60,170,75::\n",
                [("background", BLACK), ("apple", RED), ("leaf", GREEN)],
                id="CVAT sorts by name: background is on any line",
            ),
            pytest.param(
                "background:0,0,0::\nleaf:60,170,75::\napple:220,40,50::\n",
                [("background", BLACK), ("leaf", GREEN), ("apple", RED)],
                id="no comment line, labels in an order of their own",
            ),
            pytest.param(
                "apple:220,40,50::\nvoid:0,0,0::\n", [("void", BLACK), ("apple", RED)], id="black is background"
            ),
            pytest.param(
                "apple:220,40,50::\nbackground:10,20,30::\n",
                [("background", (10, 20, 30)), ("apple", RED)],
                id="else the name is, in its own colour",
            ),
            pytest.param(
                "background:10,20,30::\nvoid:0,0,0::\n",
                [("void", BLACK), ("background", (10, 20, 30))],
                id="black goes before the name",
            ),
            pytest.param("apple:220,40,50::\n", [("background", BLACK), ("apple", RED)], id="else it is made"),
            pytest.param(
                "apple:::\nbackground:::\ncar:::\n",
                [("background", (128, 0, 0)), ("apple", BLACK), ("car", (0, 128, 0))],
                id="an empty colour is the VOC palette's, by position",
            ),
            pytest.param(
                "apple:220,40,50::\nbackground:0,0,0::\ncar:::\n",
                [("background", BLACK), ("apple", RED), ("car", (0, 128, 0))],
                id="one empty colour among others",
            ),
            pytest.param(
                "\ufeff# label:color_rgb:parts:actions\r\napple:220,40,50::\r\n\r\nbackground:0,0,0::\r\n",
                [("background", BLACK), ("apple", RED)],
                id="byte-order mark, CRLF, blank line",
            ),
            pytest.param(
                " ripe apple : 220, 40, 50 :stem,skin:pick\nbackground:0,0,0::",
                [("background", BLACK), ("ripe apple", RED)],
                id="spaces, parts and actions, no last newline",
            ),
            pytest.param("Äpfel 苹果:220,40,50::", [("background", BLACK), ("Äpfel 苹果", RED)], id="any script"),
        ],
    )
    def test_classes_of_a_label_map(self, text, classes):
        assert classes_of(text) == classes

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("apple:220,40,50:\n", "line 1: expected name:R,G,B:parts:actions, found 'apple:220,40,50:'"),
            ("background:0,0,0::\nred:apple:220,40,50::\n", "line 2: .*A label's name cannot contain a colon"),
            (":220,40,50::\n", "line 1: expected name"),
            (COMMENT + "apple:220,40::\n", "line 2: expected a colour R,G,B with values 0 to 255, found '220,40'"),
            ("apple:red::\n", "expected a colour R,G,B .* found 'red'"),
            ("apple:220,40,256::\n", "expected a colour R,G,B"),
            ("apple:-1,40,50::\n", "expected a colour R,G,B"),
            ("apple:1,1,1::\nleaf:2,2,2::\napple:3,3,3::\n", "the name 'apple' occurs twice"),
            ("apple:1,1,1::\nleaf:1,1,1::\n", r"'apple' and 'leaf' share the colour \(1, 1, 1\)"),
            ("apple:0,0,0::\nbackground:0,0,0::\n", "'apple' and 'background' share the colour"),
            ("apple:::\nleaf:::\n", "'apple' and 'background' share the colour"),
            ("background:0,0,0::\n", "has no label except background"),
            (COMMENT, "contains no label"),
            ("", "contains no label"),
        ],
    )
    def test_invalid_label_map_is_a_user_error(self, text, message):
        with pytest.raises(UserError, match=rf"^export.zip: labelmap.txt.*{message}"):
            parse_labelmap(text, "export.zip: labelmap.txt")


class TestMasks:
    @pytest.fixture
    def labelmap(self):
        return parse_labelmap("apple:220,40,50::\nbackground:0,0,0::\nleaf:60,170,75::\n")

    def test_colours_become_ids(self, labelmap):
        mask = np.array([[BLACK, RED], [GREEN, BLACK]], np.uint8)
        ids = labelmap.ids(mask, "a.png")
        assert ids.dtype == np.uint8
        np.testing.assert_array_equal(ids, [[0, 1], [2, 0]])

    def test_indices_are_lines_of_the_file(self, labelmap):
        np.testing.assert_array_equal(labelmap.ids(np.array([[0, 1, 2]], np.uint8), "a.png"), [[1, 0, 2]])

    def test_colours_that_differ_in_one_channel_are_distinguished(self):
        labelmap = parse_labelmap("a:1,0,0::\nb:0,1,0::\nc:0,0,1::\nd:1,1,1::\n")
        mask = np.array([[c.color for c in labelmap.classes]], np.uint8)
        np.testing.assert_array_equal(labelmap.ids(mask, "a.png"), [range(5)])

    def test_unknown_colour_is_counted(self, labelmap):
        mask = np.full((4, 4, 3), RED, np.uint8)
        mask[0] = [219, 41, 52]
        mask[1, 0] = 9
        with pytest.raises(UserError, match=r"a\.png: 5 pixels have colours .* most often RGB 219,41,52"):
            labelmap.ids(mask, "a.png")

    @pytest.mark.parametrize("color", [(0, 0, 1), (255, 255, 255)])
    def test_unknown_colours_below_and_above_all_known(self, labelmap, color):
        with pytest.raises(UserError, match=r"a\.png: 1 pixels"):
            labelmap.ids(np.array([[color]], np.uint8), "a.png")

    def test_index_outside_the_map_is_a_user_error(self, labelmap):
        with pytest.raises(UserError, match=r"a\.png: contains index 3, but the label map has 3 lines \(0 to 2\)"):
            labelmap.ids(np.array([[0, 3]], np.uint8), "a.png")


def test_voc_palette():
    """PASCAL VOC's development kit: background, aeroplane, bicycle, …, tv monitor, and the void border."""
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 8: (64, 0, 0), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: voc_color(index) for index in known} == known
    assert len({voc_color(index) for index in range(256)}) == 256
