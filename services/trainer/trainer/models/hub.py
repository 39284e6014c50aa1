"""Trained segmentation networks of KerasHub, under our contract.

``keras_hub:<preset>`` takes what ``keras_hub.models.ImageSegmenter.from_preset`` does: the name of a preset, which is
downloaded once, or ``keras_hub:./folder`` that one was saved to.
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from trainer.models.preprocessing import check_size, from_normalized

PREFIX = "keras_hub:"


def create_hub_model(name: str, height: int, width: int, classes: int | None, auxiliary: bool = False) -> keras.Model:
    """Build a KerasHub segmentation network with its trained weights.

    Args:
        name: ``keras_hub:<preset>``.
        height: of the input, in pixels.
        width: of the input, in pixels.
        classes: of a new head with random weights; None is the preset's own head.
        auxiliary: these networks have no auxiliary head, so it must be False.

    Returns:
        What :func:`trainer.models.create_model` does; the logits are of the stride that the preset has.

    Raises:
        ValueError: KerasHub is not installed, no such preset, it is not for segmentation, its preprocessing
            is not known, or it takes no such size.
    """
    if auxiliary:
        raise ValueError(f"{name} has no auxiliary head: set auxiliary_weight to 0")
    check_size(name, height, width, 32)
    trained = _load(name, classes)
    if _takes_squares_alone(trained) and (height != width or height < 64):
        raise ValueError(
            f"{name} takes squares of 64x64 and more, not {height}x{width}: KerasHub's MiT backbone supports no other"
        )
    scale, offset = _preprocessing(name, trained.preprocessor)

    config = _at_size(trained.get_config(), (height, width, 3))
    if "activation" in config:
        config["activation"] = None
    segmenter = type(trained).from_config(config | {"preprocessor": None, "compile": False})
    segmenter.set_weights(trained.get_weights())

    image = keras.Input((height, width, 3), name="image")
    # Only the network: the task would be loaded from a file with an optimiser whose state is missing.
    network = keras.Model(segmenter.input, segmenter.output, name=segmenter.name)
    logits = network(from_normalized(image, scale, offset))
    # Logits are float32 under mixed precision.
    outputs = {"logits": layers.Activation("linear", dtype="float32", name="logits")(logits)}
    return keras.Model(image, outputs, name=trained.name)


def _load(name: str, classes: int | None) -> Any:
    try:
        import keras_hub
    except ImportError:
        raise ValueError(
            f"{name} needs KerasHub, which is not installed: pip install 'segstack-trainer[hub]' adds it"
        ) from None
    kinds = (keras_hub.models.DeepLabV3ImageSegmenter, keras_hub.models.SegFormerImageSegmenter)
    known = ", ".join(sorted(preset for kind in kinds for preset in kind.presets))
    try:
        trained = keras_hub.models.ImageSegmenter.from_preset(
            name.removeprefix(PREFIX), **({} if classes is None else {"num_classes": classes})
        )
    except TypeError:  # the number of classes is missing: no head was saved with it
        raise ValueError(f"{name} has no trained head: give the number of classes of a new one") from None
    except (ValueError, OSError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".:") or type(error).__name__
        raise ValueError(f"{name} cannot be loaded ({reason}): the presets are {known}") from None
    if not isinstance(trained, kinds):
        raise ValueError(
            f"{name} is a {type(trained).__name__}, which gives no logits a class: the presets are {known}"
        )
    return trained


def _takes_squares_alone(segmenter: Any) -> bool:
    """Whether the encoder is MiT: KerasHub's takes height and width for the square root of the number of tokens."""
    import keras_hub

    return isinstance(getattr(segmenter.backbone, "image_encoder", None), keras_hub.models.MiTBackbone)


def _preprocessing(name: str, preprocessor: Any) -> tuple[list[float], list[float]]:
    """Scale and offset a channel of the preset's preprocessing, found from its results for black, white and grey."""
    converter = getattr(preprocessor, "image_converter", None)
    if converter is None:
        raise ValueError(f"{name} has no known preprocessing, so it cannot be used")
    converter.image_size = None
    pixels = np.stack([np.full((32, 32, 3), value, np.float32) for value in (0, 255, 51)])
    black, white, grey = np.asarray(converter(pixels), np.float64)[:, 0, 0]
    scale = (white - black) / 255
    if not np.allclose(grey, black + 51 * scale, rtol=0, atol=1e-3):
        raise ValueError(f"{name} does more to its images than scale and offset, which the trainer cannot match")
    return scale.tolist(), black.tolist()


def _at_size(config: Any, image_shape: tuple[int, int, int]) -> Any:
    """A configuration, nested ones included, for images of another shape: convolutions' weights fit any."""
    if isinstance(config, dict):
        return {
            key: list(image_shape) if key == "image_shape" else _at_size(value, image_shape)
            for key, value in config.items()
        }
    return [_at_size(value, image_shape) for value in config] if isinstance(config, list) else config
