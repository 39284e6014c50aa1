"""Where a training came from, as run.json records it."""

import json
import platform

import keras

from contract import __version__
from trainer.datasets.inspection import checksum
from trainer.recipe import load_recipe
from trainer.training.provenance import provenance


def test_command_versions_machine_and_data_are_recorded(dataset, recipe_file, monkeypatch):
    monkeypatch.setattr("sys.argv", ["trainer", "train", "--config", "a b.yaml"])
    facts = json.loads(json.dumps(provenance(load_recipe(recipe_file), dataset)))
    assert facts["command"] == "segstack train --config 'a b.yaml'"
    assert facts["versions"]["keras"] == keras.__version__
    assert facts["versions"]["segstack"] == __version__
    assert facts["machine"]["system"] == platform.platform()
    assert facts["machine"]["cores"] >= 1
    assert facts["machine"]["memory_gib"] > 0
    assert facts["data"]["images"] == {name: len(dataset.split(name)) for name in ("train", "validation", "test")}
    assert facts["data"]["sha256"] == checksum(dataset)
