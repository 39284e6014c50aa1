"""What the contract's tests share: a small card, and a file that stands for a SavedModel."""

import dataclasses
from pathlib import Path

import pytest

from contract import ClassInfo, ModelCard, publish
from contract.serving_config.models_config import models


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


@pytest.fixture
def written():
    """``written(path)``: which file it is and when it was last written; reading it makes no difference."""

    def written(path):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns

    return written


@pytest.fixture
def root(tmp_path):
    """Where the repository will be."""
    return tmp_path / "models_repo"


@pytest.fixture
def publish_versions(root, card):
    """``publish_versions(3)`` publishes three versions of ``road``, each with a graph of its own."""

    def publish_versions(count, name="road"):
        return [
            publish(
                root,
                dataclasses.replace(card, name=name),
                lambda folder: (folder / "saved_model.pb").write_text(f"graph of {folder.name}"),
                lambda folder: None,
            )
            for _ in range(count)
        ]

    return publish_versions


@pytest.fixture
def write_config(root):
    """Write models.config with one model, ``road``, and what is given of its policy and labels."""

    def write_config(fields):
        root.mkdir(exist_ok=True)
        (root / "models.config").write_text(
            f'model_config_list {{ config {{ name: "road" base_path: "/models/road" {fields} }} }}'
        )

    return write_config


@pytest.fixture
def policy(root):
    """What models.config says of ``road``: its policy in words, and its labels."""

    def policy():
        listed = models(root / "models.config")["road"]
        return str(listed.policy), dict(listed.labels)

    return policy


@pytest.fixture
def damage(root):
    """Damage a version of ``road``, as a bad disk does."""
    return lambda version: (root / "road" / str(version) / "saved_model.pb").write_text("damaged")


@pytest.fixture
def leftovers(root):
    """What is left in the repository of a command that did not end."""
    return lambda: sorted(path.name for path in root.rglob(".tmp-*"))
