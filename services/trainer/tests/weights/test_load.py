"""Weights into a network: every tensor accounted for, all of them or none.

That imported weights give the authors' logits was shown with a checkpoint of their layout and the logits of their own
code, 24 MB that are not in the repository: at 256x512, 480x640 and 512x1024 they differ by 3e-6 of the logits' standard
deviation on average and by 1.9e-5 at most, and every argmax is the same; the auxiliary head by 1.9e-6 and 1.3e-5.
``benchmarks/weights_parity.py`` measures it again, given these files.
"""

import keras
import numpy as np
import pytest

from trainer.errors import UserError
from trainer.models import create_model
from trainer.weights import load_into

STEM = ("conv1", "layer", "down3", "down4", "compression")


@pytest.fixture(scope="module")
def slim():
    return create_model("ddrnet23_slim", 32, 32, classes=19, auxiliary=True)


@pytest.fixture(scope="module")
def slim_state(slim, state_dict_of):
    return state_dict_of(slim)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "best_val_smaller.pth"


def values(model):
    return {variable.path: variable.numpy() for variable in model.weights}


def fill(model, number):
    for variable in model.weights:
        variable.assign(np.full(variable.shape, number, np.float32))


def prefixed(state, prefix="model."):
    return {f"{prefix}{name}": array for name, array in state.items()}


class TestTheAuthorsFiles:
    @pytest.mark.parametrize("prefix", ["", "model.", "module.", "module.model."])
    def test_every_tensor_arrives(self, slim, slim_state, save_torch, path, prefix):
        state, expected = slim_state
        fill(slim, 0)
        file = prefixed(state, prefix) | {f"{prefix}loss.criterion.weight": np.ones(19, np.float32)}
        report = load_into(slim, save_torch(path, file, legacy=prefix == "module."))
        assert len(report.loaded) == len(expected)
        assert not report.fresh
        assert {reason.split()[0] for reason in report.skipped.values()} == {"counts", "belongs"}
        assert str(report).startswith(f"{len(expected)} tensors loaded\n57 skipped: counts batches")
        assert len(report.listing().splitlines()) == len(file)
        for name, array in values(slim).items():
            np.testing.assert_array_equal(array, expected[name])

    @pytest.mark.networks
    @pytest.mark.parametrize("name", ["ddrnet23", "ddrnet39"])
    def test_of_23_and_39_too(self, name, ddrnet_layout, save_torch, path):
        random = np.random.default_rng(0)
        state = {}
        for entry, shape in ddrnet_layout(name).items():
            layer, is_norm, _ = entry.partition(" (BN)")
            words = ("weight", "bias", "running_mean", "running_var") if is_norm else ("",)
            state |= {f"{layer}.{word}".rstrip("."): random.random(shape, np.float32) for word in words}
            state |= {f"{layer}.num_batches_tracked": np.array(7)} if is_norm else {}
        model = create_model(name, 32, 32, classes=19, auxiliary=True)
        report = load_into(model, save_torch(path, prefixed(state)))
        assert set(report.loaded) == {entry for entry in state if "num_batches" not in entry}
        assert not report.fresh
        for layer in model.layers:
            if not layer.weights:
                continue
            theirs = [state.get(f"{layer.name}.{word}") for word in ("weight", "bias", "running_mean", "running_var")]
            if theirs[0].ndim == 4:
                theirs[0] = theirs[0].transpose(2, 3, 1, 0)
            for ours, array in zip(layer.get_weights(), theirs, strict=False):
                np.testing.assert_array_equal(ours, array)

    def test_an_imagenet_file_leaves_pyramid_and_heads_as_they_were(self, slim, slim_state, save_torch, path):
        state, expected = slim_state
        backbone = {name: array for name, array in state.items() if name.startswith(STEM)}
        classifier = {"linear.weight": np.ones((1000, 8), "<f4"), "last_layer.0.weight": np.ones(3, "<f4")}
        fill(slim, 5)
        report = load_into(slim, save_torch(path, backbone | classifier))
        assert set(report.fresh.values()) == {
            f"the file has no {p}" for p in ("pyramid pooling", "head", "auxiliary head")
        }
        assert report.skipped["linear.weight"] == "the ImageNet classifier, which a segmentation network ends before"
        after = values(slim)
        assert (after["final_layer.conv1/kernel"] == 5).all()
        np.testing.assert_array_equal(after["conv1.0/kernel"], expected["conv1.0/kernel"])

    def test_for_other_classes_the_last_convolutions_stay_as_they_were(self, slim_state, save_torch, path):
        model = create_model("ddrnet23_slim", 64, 32, classes=3)
        before = values(model)
        report = load_into(model, save_torch(path, slim_state[0]))
        assert set(report.fresh) == {"final_layer.conv2.weight", "final_layer.conv2.bias"}
        assert "19 classes in the file and for 3 here" in str(report)
        assert "the auxiliary head, which this network was built without" in str(report)
        after = values(model)
        np.testing.assert_array_equal(after["final_layer.conv2/kernel"], before["final_layer.conv2/kernel"])
        np.testing.assert_array_equal(after["conv1.0/kernel"], slim_state[1]["conv1.0/kernel"])


class TestUserErrors:
    @pytest.fixture
    def refused(self, slim, save_torch, path):
        """``refused(state, match)``: loading it is an error, and the network is as it was."""

        def check(state, match):
            fill(slim, 7)
            with pytest.raises(UserError, match=match):
                load_into(slim, save_torch(path, state))
            assert all((array == 7).all() for array in values(slim).values())

        return check

    def test_different_ddrnet(self, refused, ddrnet_layout):
        shapes = ddrnet_layout("ddrnet23")
        other = {name: np.ones(shapes[name], "<f4") for name in ("conv1.0.weight", "compression3.0.weight")}
        refused(other, "holds the weights of ddrnet23, not of ddrnet23_slim")

    def test_different_network(self, refused):
        refused(
            {"backbone.conv.weight": np.ones((2, 3, 1, 1), "<f4")}, "of a network that is no DDRNet, not of ddrnet23_"
        )

    def test_different_shape(self, refused, slim_state):
        odd = np.ones((64, 128, 3, 3), "<f4")
        refused(slim_state[0] | {"compression3.0.weight": odd}, r"compression3.0.weight is \[3, 3, 128, 64\], expected")

    @pytest.mark.parametrize("name", ["conv1.0.weight", "conv1.0.bias", "final_layer.conv2.bias"])
    def test_scalar_in_place_of_a_tensor(self, refused, slim_state, name):
        refused(
            slim_state[0] | {name: np.array(1.0, "<f4")},
            "belongs to a different network|of a network that is no DDRNet",
        )

    def test_missing_tensor(self, refused, slim_state):
        state = {name: array for name, array in slim_state[0].items() if name != "layer1.0.bn1.running_mean"}
        refused(state, "lacks layer1.0.bn1.running_mean")

    def test_unknown_tensor(self, refused, slim_state):
        refused(
            slim_state[0] | {"edge.weight": np.ones(1, "<f4")},
            "has 1 tensors that ddrnet23_slim does not have: edge.weight",
        )

    def test_nan(self, refused, slim_state):
        refused(slim_state[0] | {"conv1.0.bias": np.full(32, np.nan, "<f4")}, "conv1.0.bias holds NaN")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, where it saves a variable
class TestKerasFiles:
    @pytest.fixture
    def kept(self, slim, slim_state, tmp_path):
        for variable in slim.weights:
            variable.assign(slim_state[1][variable.path])
        slim.save(tmp_path / "best.keras")
        return tmp_path / "best.keras"

    @pytest.mark.networks
    def test_weights_fit_a_network_of_a_different_size(self, kept, slim_state):
        model = create_model("ddrnet23_slim", 64, 32, classes=19, auxiliary=True)
        assert len(load_into(model, kept).loaded) == len(model.weights)
        for name, array in values(model).items():
            np.testing.assert_array_equal(array, slim_state[1][name])

    def test_run_folder_is_its_best_network(self, kept):
        model = create_model("ddrnet23_slim", 32, 32, classes=5)
        report = load_into(model, kept.parent)
        assert set(report.fresh) == {"final_layer.conv2/kernel", "final_layer.conv2/bias"}
        assert {name.split(".")[0] for name in report.skipped} == {"seghead_extra"}

    @pytest.mark.networks
    def test_different_network_is_a_user_error(self, kept):
        with pytest.raises(UserError, match="holds the weights of ddrnet23_slim, not of ddrnet23"):
            load_into(create_model("ddrnet23", 32, 32, classes=19), kept)

    def test_third_party_network_of_the_same_name_is_a_user_error(self, slim, tmp_path):
        image = keras.Input((32, 32, 3))
        theirs = keras.Model(image, keras.layers.Conv2D(3, 1)(image), name="ddrnet23_slim")
        theirs.save(tmp_path / "theirs.keras")
        with pytest.raises(UserError, match="holds the weights of a different ddrnet23_slim"):
            load_into(slim, tmp_path / "theirs.keras")
