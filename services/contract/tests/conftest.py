"""What the contract's tests share: a small card, and a file that stands for a SavedModel."""

from pathlib import Path

import pytest

from contract import ClassInfo, ModelCard


@pytest.fixture
def card():
    """Two classes at 32 x 48: the smallest card worth having."""
    return ModelCard(
        name="road",
        architecture="ddrnet23_slim",
        input_height=32,
        input_width=48,
        classes=(ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "road", (128, 64, 128))),
    )


@pytest.fixture
def write_model():
    """A ``write`` for ``publish``: a graph and its variables, as far as publishing looks at them."""

    def write(folder: Path) -> None:
        (folder / "saved_model.pb").write_bytes(b"graph")
        (folder / "variables").mkdir()
        (folder / "variables" / "variables.index").write_bytes(b"index")

    return write
