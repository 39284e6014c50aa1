"""A third-party network fitted to the contract: preprocessed RGB images in, logits of every class out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from contract import ClassInfo, Preprocessing
from trainer.errors import UserError, one_line
from trainer.export.foreign import LOGITS, ForeignNetwork
from trainer.frozen.graph import Network
from trainer.models.preprocessing import IMAGENET, upsample

PREPROCESSING = {
    "imagenet": IMAGENET,
    "unit": Preprocessing(1 / 255, (0, 0, 0), (1, 1, 1)),
    "symmetric": Preprocessing(1 / 127.5, (1, 1, 1), (1, 1, 1)),
    "none": Preprocessing(1, (0, 0, 0), (1, 1, 1)),
}

_TINY = float(np.finfo(np.float32).tiny)
_EPSILON = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class NetworkSpec:
    """What a file does not specify about its network; None where the file decides.

    ``activation``: the last operation on its output. ``bgr``: the order of its channels.
    """

    classes: Sequence[ClassInfo]
    size: tuple[int, int] | None = None
    preprocessing: Preprocessing | None = None
    bgr: bool = False
    activation: str = "logits"


@dataclass(frozen=True)
class Adapted:
    """The network, and what its card needs: input size in pixels, and preprocessing."""

    network: Network
    height: int
    width: int
    preprocessing: Preprocessing


def adapt(foreign: ForeignNetwork, spec: NetworkSpec) -> Adapted:
    """Fit ``foreign`` to the contract, after running it once on two images.

    Channels may come before or after height and width, in input and output; one logit becomes two classes.

    Raises:
        UserError: input, output, classes or activation do not match the network's; the message says which.
    """
    channels_first, height, width = _input(foreign, spec.size)
    preprocessing = _preprocessing(foreign, spec.preprocessing)

    def run(images: tf.Tensor) -> tf.Tensor:
        images = images[..., ::-1] if spec.bgr else images
        images = tf.transpose(images, [0, 3, 1, 2]) if channels_first else images
        return tf.cast(foreign.call(tf.cast(images, foreign.input_dtype)), tf.float32)

    answer = _answer(foreign, run, height, width)
    shape, outputs = answer.shape, (len(spec.classes), 1 if len(spec.classes) == 2 else len(spec.classes))
    transposed = shape[-1] not in outputs and shape[1] in outputs
    channels = shape[1 if transposed else -1]
    if channels not in outputs:
        raise UserError(
            f"{foreign.path} gives {channels} channels (its output is {list(shape)}), but {len(spec.classes)} classes "
            "are named: name one class per channel with --classes, in their order"
        )
    answer = np.moveaxis(answer, 1, -1) if transposed else answer
    _check_activation(foreign, answer, spec.activation)
    low = answer.shape[1:]

    def network(images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        output = run(images)
        output = tf.transpose(output, [0, 2, 3, 1]) if transposed else output
        output = tf.ensure_shape(output, [None, *low])
        if spec.activation != "logits":
            full = output if low[:2] == (height, width) else upsample(output, height, width)
            output = _logits_of(full, spec.activation)
        return {LOGITS: tf.concat([tf.zeros_like(output), output], -1) if channels == 1 else output}

    return Adapted(network, height, width, preprocessing)


def _input(foreign: ForeignNetwork, size: Sequence[int] | None) -> tuple[bool, int, int]:
    """Whether channels come first, and the size in pixels."""
    shape = foreign.input_shape
    takes = (
        f"{foreign.path} takes {foreign.input_dtype.name} {'of unknown rank' if shape.rank is None else list(shape)}"
    )
    if shape.rank != 4 or not (foreign.input_dtype.is_floating or foreign.input_dtype == tf.uint8):
        raise UserError(f"{takes}: expected images, float or uint8 [N, height, width, 3]")
    channels_first = shape[-1] != 3
    if channels_first and shape[1] != 3:
        raise UserError(f"{takes}: expected three channels, first or last")
    if shape[0] is not None:
        raise UserError(
            f"{takes}: expected any number of images at a time; save it again with a variable batch dimension"
        )
    fixed = shape[2:] if channels_first else shape[1:3]
    for name, side, wish in zip(("height", "width"), fixed, size or (None, None), strict=True):
        if side is None and wish is None:
            raise UserError(f"{takes}, any {name}: name the size to serve it at with --size HEIGHT WIDTH")
        if None not in (side, wish) and side != wish:
            raise UserError(f"{takes}: its {name} is fixed at {side}, so --size cannot set {wish}")
    height, width = size or fixed
    if height < 1 or width < 1:
        raise UserError(f"--size {height} {width}: expected a height and a width of 1 pixel or more")
    return channels_first, int(height), int(width)


def _preprocessing(foreign: ForeignNetwork, wish: Preprocessing | None) -> Preprocessing:
    if foreign.input_dtype == tf.uint8:
        if wish not in (None, PREPROCESSING["none"]):
            raise UserError(
                f"{foreign.path} takes uint8 pixels: leave the preprocessing to the network, without --preprocessing"
            )
        return PREPROCESSING["none"]
    if wish is None and foreign.ours:
        return IMAGENET
    if wish is None:
        raise UserError(
            f"{foreign.path} does not say how its pixels are scaled: name it with --preprocessing "
            f"{'|'.join(PREPROCESSING)}, or with --scale, --mean and --std"
        )
    return wish


def _answer(foreign: ForeignNetwork, run: Callable[[tf.Tensor], tf.Tensor], height: int, width: int) -> np.ndarray:
    """The network's output for two images of noise."""
    noise = np.random.default_rng(0).standard_normal((2, height, width, 3)).astype(np.float32)
    try:
        answer: np.ndarray = run(tf.constant(noise if foreign.input_dtype.is_floating else 127 + 40 * noise)).numpy()
    except (tf.errors.OpError, ValueError, TypeError) as error:
        reason = one_line(error)
        raise UserError(f"{foreign.path} fails on images of {height}x{width}: {reason}") from None
    if answer.ndim != 4 or len(answer) != 2:
        raise UserError(
            f"{foreign.path} gives {list(answer.shape)} for two images: expected [2, height, width, classes]. "
            "Class ids (an argmax) are not enough: export the network without the argmax"
        )
    if not np.isfinite(answer).all():
        raise UserError(f"{foreign.path} gives NaN or infinite numbers: its weights are damaged")
    return answer


def _check_activation(foreign: ForeignNetwork, answer: np.ndarray, activation: str) -> None:
    within = answer.min() >= 0 and answer.max() <= 1
    sums_to_one = answer.shape[-1] > 1 and within and np.abs(answer.sum(-1) - 1).max() < 1e-3
    if activation == "softmax" and not sums_to_one:
        raise UserError(f"{foreign.path}: its outputs do not sum to 1, so they are not probabilities of a softmax")
    if activation == "sigmoid" and not within:
        raise UserError(
            f"{foreign.path}: its outputs are not within 0 to 1, so they are not probabilities of a sigmoid"
        )
    if activation == "logits" and (sums_to_one or (within and answer.shape[-1] == 1)):
        name = "softmax" if sums_to_one else "sigmoid"
        raise UserError(f"{foreign.path}: its outputs are probabilities and not logits: add --activation {name}")


def _logits_of(probabilities: tf.Tensor, activation: str) -> tf.Tensor:
    """Logits whose softmax (of several) or sigmoid gives ``probabilities`` back."""
    if activation == "softmax":
        return tf.math.log(tf.maximum(probabilities, _TINY))
    p = tf.clip_by_value(probabilities, _TINY, 1 - _EPSILON)
    return tf.math.log(p) - tf.math.log1p(-p)
