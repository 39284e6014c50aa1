"""``segstack import-weights``: a checkpoint becomes a .keras file or a published model."""

import keras
import numpy as np
import pytest

from contract import versions
from trainer.commands.cli import main
from trainer.models import create_model

# Keras, where it saves a variable.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def checkpoint(state_dict_of, save_torch, tmp_path_factory):
    """The authors' layout for DDRNet-23-slim with 19 classes and auxiliary head, and the weights in it."""
    state, values = state_dict_of(create_model("ddrnet23_slim", 32, 32, classes=19, auxiliary=True))
    return save_torch(tmp_path_factory.mktemp("checkpoint") / "best_val_smaller.pth", state), values


@pytest.fixture
def import_weights(checkpoint, tmp_path, monkeypatch, capsys):
    """``import_weights("--output …")``: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(words):
        command = ["import-weights", str(checkpoint[0]), "--network", "ddrnet23_slim", "--size", "32", "64"]
        return main([*command, *words.split()]), *capsys.readouterr()

    return run


@pytest.mark.networks
def test_checkpoint_is_published(import_weights, tmp_path):
    status, out, _ = import_weights("--publish city")
    assert status == 0
    assert out.endswith("published: models_repo/city/1\n")
    assert versions(tmp_path / "models_repo", "city") == [1]


def test_checkpoint_is_saved_as_keras(import_weights, checkpoint):
    status, out, _ = import_weights("--output slim.keras")
    assert status == 0
    assert out.startswith(f"{len(checkpoint[1])} tensors loaded\n")
    assert out.endswith("kept: slim.keras\n")
    kept = keras.models.load_model("slim.keras", compile=False)
    for variable in kept.weights:
        np.testing.assert_array_equal(variable.numpy(), checkpoint[1][variable.path])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "nothing to do: keep the network with --output FILE.keras, or publish it with --publish NAME"),
        ("--output slim.h5", "--output slim.h5: expected the name of a new file that ends in .keras"),
        ("--publish city --classes a,b,c", "city was not published, as the file has no trained weights for 4 tensors"),
        pytest.param(
            "--output a.keras --network ddrnet23",
            "{path} holds the weights of ddrnet23_slim, not of ddrnet23",
            marks=pytest.mark.networks,
        ),
        ("--output a.keras --size 100 64", "ddrnet23_slim takes heights and widths that are multiples of 32"),
        ("--output a.keras --classes nowhere.txt", "--classes nowhere.txt: no such file"),
    ],
)
def test_user_error_is_one_sentence_and_leaves_nothing(import_weights, checkpoint, tmp_path, words, message):
    status, _, err = import_weights(words)
    assert status == 1
    assert err.splitlines()[-1].startswith(f"trainer: {message.format(path=checkpoint[0])}")
    assert list(tmp_path.iterdir()) == []
