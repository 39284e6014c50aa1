"""Networks by name: what every one of them must do."""

import numpy as np
import pytest

from trainer.models import create_model, model_names


@pytest.fixture(params=model_names())
def name(request):
    return request.param


def test_it_maps_images_to_logits_at_its_stride(name):
    model = create_model(name, 64, 96, classes=3)
    ((output, logits),) = model(np.zeros((2, 64, 96, 3), np.float32)).items()
    assert output == "logits"
    count, height, width, classes = logits.shape
    assert (count, classes) == (2, 3)
    assert 64 // height == 96 // width
    assert logits.dtype == "float32"


def test_the_auxiliary_head_comes_on_request(name):
    outputs = create_model(name, 64, 64, classes=3, auxiliary=True).output
    assert set(outputs) == {"logits", "auxiliary"}
    assert outputs["auxiliary"].shape == outputs["logits"].shape


def test_fresh_layers_of_one_shape_have_different_kernels(name):
    model = create_model(name, 64, 64, classes=3, auxiliary=True)
    kernels = [v.numpy() for v in model.trainable_variables if v.name == "kernel"]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)


def test_a_wrong_name_is_answered_with_the_right_ones():
    with pytest.raises(ValueError, match="there is no network 'ddrnet': choose one of ddrnet23_slim"):
        create_model("ddrnet", 64, 64, classes=3)


@pytest.mark.parametrize(
    ("height", "width", "padded"), [(480, 650, "480x672"), (1, 64, "32x64"), (100, 100, "128x128"), (0, -5, "32x32")]
)
def test_a_wrong_size_is_answered_with_the_padded_one(height, width, padded):
    with pytest.raises(ValueError, match=rf"multiples of 32, not {height}x{width}: the next size is {padded} "):
        create_model("ddrnet23_slim", height, width, classes=3)
