"""Networks by name, and the errors for networks that cannot be built."""

import pytest

from trainer.models import create_model


def test_unknown_name_lists_the_networks():
    with pytest.raises(ValueError, match="no network 'ddrnet': choose one of ddrnet23, ddrnet23_slim"):
        create_model("ddrnet", 64, 64, classes=3)


@pytest.mark.parametrize("name", ["unet", "keras_hub:segformer_b0_ade20k_512"])
def test_0_classes_are_a_value_error(name):
    with pytest.raises(ValueError, match=f"{name} cannot have 0 classes: expected one or more"):
        create_model(name, 64, 64, classes=0)


@pytest.mark.parametrize(
    ("height", "width", "padded"), [(480, 650, "480x672"), (1, 64, "32x64"), (100, 100, "128x128"), (0, -5, "32x32")]
)
def test_invalid_size_names_the_padded_one(height, width, padded):
    with pytest.raises(ValueError, match=rf"multiples of 32, not {height}x{width}: the next size is {padded} "):
        create_model("ddrnet23_slim", height, width, classes=3)


def test_network_without_pretrained_backbone_names_those_with_one():
    with pytest.raises(
        ValueError, match="unet has no pretrained backbone; these have one: deeplabv3plus_efficientnetv2"
    ):
        create_model("unet", 64, 64, classes=3, pretrained=True)
