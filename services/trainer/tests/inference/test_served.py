"""A served model: what is asked of whom. That serving answers as the folder does: tests/test_evaluate_served.py."""

import pytest

from trainer.errors import UserError
from trainer.inference.served import served


@pytest.mark.parametrize("target", ["", ":3", "demo:three", "demo@"])
def test_a_target_is_a_name_with_a_version_or_a_label(target):
    with pytest.raises(UserError, match="expected NAME, NAME:VERSION or NAME@LABEL"), served("localhost:1", target):
        pass


def test_nobody_answering_is_said():
    # Port 1 belongs to nobody.
    said = r"serving at 127.0.0.1:1 does not answer: .*`make serve`"
    with pytest.raises(UserError, match=said), served("127.0.0.1:1", "demo"):
        pass
