"""The network that is trained, and the one that is kept."""

import keras
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.training.distribution import Distribution
from trainer.training.network import create_network

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:keras")


def test_float32_on_one_device_has_one_model(tiny_recipe):
    network = create_network(tiny_recipe(), 3, Distribution())
    assert network.kept is network.trained


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_kept_model_is_float32_in_mixed_precision(tiny_recipe, precision, tmp_path):
    network = create_network(tiny_recipe(f"precision={precision}"), 3, Distribution())
    compute = precision.removeprefix("mixed_")
    assert {layer.compute_dtype for layer in network.trained.layers if "_conv" in layer.name} == {compute}
    assert {output.dtype for output in network.trained.output.values()} == {"float32"}
    assert {weight.dtype for weight in network.trained.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"

    network.kept.save(tmp_path / "kept.keras")
    saved = keras.models.load_model(tmp_path / "kept.keras", compile=False)
    assert saved.name == "tiny"
    assert {layer.compute_dtype for layer in saved.layers} == {"float32"}


def test_refresh_copies_the_trained_weights(tiny_recipe):
    network = create_network(tiny_recipe("precision=mixed_bfloat16"), 3, Distribution())
    network.trained.set_weights([np.full(weight.shape, 0.5) for weight in network.trained.weights])
    network.refresh()
    assert all((weight == 0.5).all() for weight in network.kept.get_weights())


def test_unknown_network_is_a_user_error(tiny_recipe):
    with pytest.raises(UserError, match="no network 'segnet'"):
        create_network(tiny_recipe("network=segnet"), 3, Distribution())
