"""Shared fixtures of the contract's tests: a small card, and a file in place of a SavedModel."""

import dataclasses
from pathlib import Path

import pytest

from contract import ClassInfo, ModelCard, publish
from contract.serving_config.models_config import models


@pytest.fixture
def card():
    """A small card: two classes at 32 x 48."""
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
    """``written(path)``: the file's inode and the time it was last written, which reading does not change."""

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
    """``publish_versions(3)`` publishes three versions of ``road``, each with a different graph."""

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
    """The entry of ``road`` in models.config: its policy in words, and its labels."""

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
    """The temporary files and folders left in the repository."""
    return lambda: sorted(path.name for path in root.rglob(".tmp-*"))
