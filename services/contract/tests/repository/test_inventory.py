"""The list of what the repository contains."""

import dataclasses
import json

import pytest

from contract import Metrics, publish
from contract.repository.inventory import stored_models
from contract.repository.inventory_text import as_json, as_table
from contract.repository.labels import label


@pytest.fixture
def inventory(root):
    """The states and labels of what is there, by model and folder."""

    def inventory():
        return {
            (model.name, stored.folder): (stored.state, *stored.labels)
            for model in stored_models(root)
            for stored in model.versions
        }

    return inventory


@pytest.fixture
def warnings(root):
    return lambda: [warning for model in stored_models(root) for warning in model.warnings]


def test_of_an_empty_repository_is_empty(tmp_path):
    assert stored_models(tmp_path) == []
    assert len(as_table([]).splitlines()) == 1
    assert json.loads(as_json([])) == {"models": []}


def test_states_and_labels(root, publish_versions, inventory, warnings):
    publish_versions(4)
    label(root, "road", "stable", 1)
    label(root, "road", "canary", 4)
    label(root, "road", "best", 4)
    assert inventory() == {
        ("road", "4"): ("loaded", "best", "canary"),
        ("road", "3"): ("loaded",),
        ("road", "2"): ("kept",),
        ("road", "1"): ("loaded", "stable"),
    }
    assert warnings() == []


def test_newest_first_and_models_by_name(root, publish_versions, inventory):
    publish_versions(11, "signs")
    publish_versions(1, "road")
    assert [folder for _, folder in inventory()] == ["1", *map(str, range(11, 0, -1))]


def test_incomplete_and_damaged_versions_are_found(root, publish_versions, inventory):
    publish_versions(3)
    (root / "road/.tmp-4").mkdir()
    (root / "road/1/saved_model.pb").unlink()
    (root / "road/2/assets.extra/tf_serving_warmup_requests").unlink()
    (root / "road/3/assets.extra/SHA256SUMS").write_text("nonsense\n")
    assert {folder: state for (_, folder), (state, *_) in inventory().items()} == {
        "3": "incomplete",
        "2": "incomplete",
        "1": "incomplete",
        ".tmp-4": "leftover",
    }


def test_third_party_model_needs_no_card(root, write_config, inventory):
    write_config("")
    (root / "road/0007").mkdir(parents=True)
    (root / "road/0007/saved_model.pb").write_bytes(b"graph")
    assert inventory() == {("road", "0007"): ("loaded",)}
    assert as_table(stored_models(root)).splitlines()[1].split() == ["road", "7", "loaded", "5", "B", *["-"] * 5]


def test_other_folders_and_files_are_ignored(root, publish_versions, inventory):
    publish_versions(1)
    (root / "README.md").write_text("what is here")
    (root / "lost+found").mkdir()
    assert list(inventory()) == [("road", "1")]


class TestWarnings:
    def test_unlisted_model(self, root, publish_versions, inventory, warnings):
        publish_versions(1)
        (root / "models.config").write_text("")
        assert inventory() == {("road", "1"): ("unlisted",)}
        (warning,) = warnings()
        assert warning.startswith("road is not listed in models.config, so it is not served")

    def test_listed_model_without_a_version(self, write_config, warnings):
        write_config("")
        (warning,) = warnings()
        assert warning.startswith("road is listed but has no version")

    def test_label_on_a_missing_version(self, publish_versions, write_config, warnings):
        publish_versions(1)
        write_config('version_labels { key: "stable" value: 3 }')
        (warning,) = warnings()
        assert "label stable of road points at version 3" in warning
        assert "move or remove it" in warning

    def test_label_on_a_version_that_a_hand_written_policy_does_not_load(
        self, publish_versions, write_config, warnings
    ):
        publish_versions(2)
        write_config('version_labels { key: "stable" value: 1 }')
        (warning,) = warnings()
        assert warning.startswith("label stable of road points at version 1")
        assert "hand-written policy (latest 1)" in warning

    def test_model_with_engines_in_the_config_for_every_machine(self, root, card, write_model, warnings):
        converted = dataclasses.replace(card, name="road-trt-fp16", engine={"engines": 1})
        publish(root, converted, write_model, lambda folder: None)
        assert warnings() == []
        (root / "models.gpu.config").rename(root / "models.config")
        (warning,) = warnings()
        assert warning.startswith("road-trt-fp16 runs only on the GPU that it was converted on")
        assert "models.gpu.config" in warning


def test_models_for_one_gpu_are_marked(root, card, write_model, publish_versions):
    publish_versions(1)
    publish(root, dataclasses.replace(card, name="road-trt", engine={}), write_model, lambda folder: None)
    lines = as_table(stored_models(root)).splitlines()
    assert "loaded on its GPU" in lines[2]
    assert "on its GPU" not in lines[1]
    models = json.loads(as_json(stored_models(root)))["models"]
    assert [(model["name"], model["gpu_only"]) for model in models] == [("road", False), ("road-trt", True)]


@pytest.fixture
def described(root, card):
    """One version whose card has every field."""
    card = dataclasses.replace(
        card,
        metrics=Metrics(0.71239, {"background": 0.9, "road": None}, "test", 12),
        created_at="2026-11-22T15:00:00+00:00",
        derived_from="lane:4",
    )
    publish(root, card, lambda folder: (folder / "saved_model.pb").write_bytes(bytes(3 << 19)), lambda folder: None)
    label(root, "road", "stable", 1)


def test_as_a_table(root, described):
    head, line = as_table(stored_models(root)).splitlines()
    assert head.split("  ")[0] == "MODEL"
    assert line.split() == [
        *("road", "1", "loaded", "1.5", "MiB", "stable", "0.7124", "32x48", "2026-11-22T15:00:00+00:00", "lane:4")
    ]
    assert [head.index(name) for name in ("STATE", "INPUT")] == [line.index(text) for text in ("loaded", "32x48")]


def test_as_json(root, described):
    (model,) = json.loads(as_json(stored_models(root)))["models"]
    (version,) = model.pop("versions")
    assert model == {
        "name": "road",
        "listed": True,
        "gpu_only": False,
        "policy": "specific 1",
        "policy_by_hand": False,
        "labels": {"stable": 1},
        "leftovers": [],
        "warnings": [],
    }
    assert version.pop("size_bytes") == sum(p.stat().st_size for p in (root / "road/1").rglob("*") if p.is_file())
    assert version == {
        "version": 1,
        "state": "loaded",
        "labels": ["stable"],
        "miou": 0.71239,
        "input_height": 32,
        "input_width": 48,
        "created_at": "2026-11-22T15:00:00+00:00",
        "derived_from": "lane:4",
    }
