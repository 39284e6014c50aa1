"""The table of forms, and what each command makes of it."""

from typing import get_args

import numpy as np
import pytest

from segclient.api.parameters import Form
from segclient.api.results import ClassInfo, Segmentation, Timings
from segclient.commands.cli import create_parser
from segclient.commands.forms import FORMS

_RESULT = Segmentation(
    mask=np.array([[0, 1]], np.uint8),
    classes=(ClassInfo(0, "background", (9, 9, 9)), ClassInfo(1, "car", (220, 60, 60))),
    ignore_id=255,
    model="shapes",
    version=1,
    timings=Timings(0, 0, 0, 0, 0),
)


def test_every_form_of_the_api_has_an_entry() -> None:
    assert set(FORMS) == set(get_args(Form))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", ["image", "folder", "video", "webcam"])
def test_commands_accept_every_form_except_a_live_mask(command: str, form: str, capsys) -> None:
    arguments = {"folder": ["photos", "--output", "results"], "webcam": []}.get(command, ["input"])
    line = [command, *arguments, "--form", form]
    if (command, form) == ("webcam", "mask"):
        with pytest.raises(SystemExit):
            create_parser().parse_args(line)
    else:
        assert create_parser().parse_args(line).form == form


@pytest.mark.parametrize(("command", "form"), [("image", "mask"), ("video", "overlay"), ("webcam", "overlay")])
def test_default_forms(command: str, form: str) -> None:
    assert create_parser().parse_args([command, *([] if command == "webcam" else ["input"])]).form == form


@pytest.mark.parametrize(
    ("form", "suffix", "left", "right"),
    [
        ("mask", ".mkv", (0, 0, 0), (1, 1, 1)),
        ("color", ".mp4", (9, 9, 9), (220, 60, 60)),
        ("overlay", ".mp4", (100, 100, 100), (160, 80, 80)),
    ],
)
def test_form_of_a_video_has_its_suffix_and_drawing(form: str, suffix: str, left: tuple, right: tuple) -> None:
    frame = np.full((4, 8, 3), 100, np.uint8)
    drawn = FORMS[form].draw(_RESULT, frame, 0.5)
    assert FORMS[form].video == suffix
    assert drawn.shape == frame.shape
    assert (tuple(drawn[0, 0].tolist()), tuple(drawn[-1, -1].tolist())) == (left, right)


def test_json_of_a_video_is_lines() -> None:
    assert (FORMS["json"].video, FORMS["json"].draw) == (".jsonl", None)
