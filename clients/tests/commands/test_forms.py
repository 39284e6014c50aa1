"""The table of forms, and what each command makes of it."""

from typing import get_args

import pytest

from segclient.api.parameters import Form
from segclient.commands.cli import create_parser
from segclient.commands.forms import FORMS


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
