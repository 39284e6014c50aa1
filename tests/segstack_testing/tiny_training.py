"""The network ``tiny`` of tiny.py, and recipes for it."""

import runpy
from pathlib import Path

import pytest

TINY_SCRIPT = Path(__file__).with_name("tiny.py")
MIRRORED_SCRIPT = Path(__file__).with_name("mirrored.py")

TINY = """
network: tiny
data: {{path: {data}, input_height: 32, input_width: 48, batch_size: 4}}
optimizer: {{name: sgd, learning_rate: 0.05, warmup_steps: 0}}
epochs: 1
"""


@pytest.fixture(scope="module")
def tiny_network():
    """``tiny``'s builder, registered for one file of tests: others count the networks that there are."""
    from trainer.models import registry

    yield runpy.run_path(str(TINY_SCRIPT))["tiny"]
    del registry._REGISTRY["tiny"]


@pytest.fixture(scope="module")
def tiny_file(tiny_network, dataset, tmp_path_factory):
    """A recipe of one epoch, 17 or so steps, over the drawn set."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.yaml"
    path.write_text(TINY.format(data=dataset.root))
    return path


@pytest.fixture(scope="module")
def tiny_recipe(tiny_file):
    """``tiny_recipe("epochs=2", …)``: that recipe, with overrides."""
    from trainer.recipe import load_recipe

    return lambda *overrides: load_recipe(tiny_file, overrides)
