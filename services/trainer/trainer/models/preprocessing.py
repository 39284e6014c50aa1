"""From the pixels a client sends to what a network takes; the same in training and in the exported graph."""

from keras import KerasTensor, ops

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
