"""From the pixels a client sends to a network's input; the same in training and in the exported graph."""

import math
from collections.abc import Sequence

from keras import KerasTensor, layers, ops

from contract import Preprocessing

# ImageNet's statistics, which the authors' and keras.applications' weights expect.
IMAGENET = Preprocessing()


def normalize(image: KerasTensor, preprocessing: Preprocessing = IMAGENET) -> KerasTensor:
    """RGB [..., 3], any dtype, 0..255, to float32 ``(image * scale - mean) / std``."""
    mean, std = (ops.convert_to_tensor(v, "float32") for v in (preprocessing.mean, preprocessing.std))
    return ops.cast(image, "float32") * (preprocessing.scale / std) - mean / std


def upsample(logits: KerasTensor, height: int, width: int) -> KerasTensor:
    """Logits [N, h, w, C] at the network's stride to [N, height, width, C]: bilinear, half-pixel centres."""
    return ops.image.resize(logits, (height, width), interpolation="bilinear")


def check_size(name: str, height: int, width: int, multiple_of: int) -> None:
    """Refuse an input size that is no multiple, naming the next one that is.

    Raises:
        ValueError: it is no multiple.
    """
    if height < 1 or width < 1 or height % multiple_of or width % multiple_of:
        padded = [max(1, math.ceil(side / multiple_of)) * multiple_of for side in (height, width)]
        raise ValueError(
            f"{name} takes heights and widths that are multiples of {multiple_of}, not {height}x{width}: "
            f"the next size is {padded[0]}x{padded[1]} (height x width)"
        )


def from_normalized(x: KerasTensor, scale: Sequence[float], offset: Sequence[float]) -> KerasTensor:
    """What a network trained on ``pixel * scale + offset`` (RGB, pixels 0..255) must see, from our normalised input."""
    ours = IMAGENET
    gain = [std * s / ours.scale for std, s in zip(ours.std, scale, strict=True)]
    shift = [mean * s / ours.scale + o for mean, s, o in zip(ours.mean, scale, offset, strict=True)]
    same = all(
        math.isclose(g, 1, abs_tol=1e-6) and math.isclose(s, 0, abs_tol=1e-6) for g, s in zip(gain, shift, strict=True)
    )
    return x if same else layers.Rescaling(gain, shift, name="preprocessing")(x)
