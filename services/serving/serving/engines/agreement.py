"""Comparison of two engines' outputs: a version whose outputs differ too much must not be served.

If a signature has a ``mask``, only the fraction of its equal pixels counts: confidence and entropy come from the same
logits, and their last bit is not decisive. Of other outputs, integers must be equal, and floats within 2 % of the
largest, twice what bfloat16's eight bits of mantissa lose in a network of fifty layers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from serving.errors import ServingError

MASK = "mask"

_TOLERANCE = 0.02
_GREY = 114  # as in the contract's warm-up requests
_UNKNOWN_SIDE = 128  # pixels, if the signature leaves an image's size free


class DisagreementError(ServingError):
    """The engine's outputs differ from TensorFlow's; the version is not served."""

    def __init__(self, path: Any, engine: str, agreement: float, minimum: float) -> None:
        super().__init__(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"{path}: {engine} agrees with TensorFlow on {agreement:.2%}, expected at least {minimum:.2%}. "
            "Serve it with --engine=tensorflow or --precision=f32, or lower --engine_min_agreement",
        )


def examples(inputs: Sequence[tuple[np.dtype[Any], Sequence[int]]]) -> Iterator[list[NDArray[Any]]]:
    """Inputs to compare on, from their dtypes and shapes (-1 for a free size); the same ones in every call.

    Four kinds: uniform grey as in the warm-up requests; a gradient; noise with the 1/f amplitudes of natural images
    (Field, 1987, "Relations between the statistics of natural images and the response properties of cortical cells");
    and white noise. The third resembles photographs. The last is the worst case, as it contains no object and all
    classes are near-ties; the first two are easy, unless the graph was misread.
    """
    random = np.random.default_rng(0)
    for kind in (_grey, _gradient, _natural, _white):
        yield [_of_dtype(kind(random, _known(shape)), dtype) for dtype, shape in inputs]


def equal_fraction(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    """The fraction of elements, 0 to 1, in which ``actual`` agrees with ``expected``; 0 for another shape or dtype."""
    if expected.shape != actual.shape or expected.dtype != actual.dtype:
        return 0.0
    if expected.size == 0:
        return 1.0
    if expected.dtype.kind != "f":
        return float((expected == actual).mean())
    largest = np.abs(expected, where=np.isfinite(expected), out=np.zeros_like(expected)).max()
    return float(np.isclose(actual, expected, rtol=0, atol=_TOLERANCE * largest, equal_nan=True).mean())


def _known(shape: Sequence[int]) -> list[int]:
    """The shape of one image or row, with ``_UNKNOWN_SIDE`` for free sides."""
    is_image = len(shape) == 4
    return [
        side if side > 0 else _UNKNOWN_SIDE if is_image and axis in (1, 2) else 1 for axis, side in enumerate(shape)
    ]


def _grey(_: np.random.Generator, shape: list[int]) -> NDArray[np.float64]:
    return np.full(shape, _GREY / 255)


def _gradient(_: np.random.Generator, shape: list[int]) -> NDArray[np.float64]:
    """Increasing from one corner to the opposite one, each channel from another level."""
    axes = [np.linspace(0, 1, side) for side in shape]
    return np.asarray(sum(np.ix_(*axes), np.zeros(())) / max(1, sum(side > 1 for side in shape)))


def _natural(random: np.random.Generator, shape: list[int]) -> NDArray[np.float64]:
    white = random.standard_normal(shape)
    if len(shape) != 4:
        return np.clip(0.5 + white / 4, 0, 1)
    rows, columns = np.fft.fftfreq(shape[1])[:, None], np.fft.rfftfreq(shape[2])[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(shape[1:3]))
    pink = np.fft.irfft2(np.fft.rfft2(white, axes=(1, 2)) / frequency[None, ..., None], s=shape[1:3], axes=(1, 2))
    return np.clip(0.5 + pink / (4 * (pink.std() or 1)), 0, 1)


def _white(random: np.random.Generator, shape: list[int]) -> NDArray[np.float64]:
    return random.random(shape)


def _of_dtype(unit: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """0..1 as 0..255 in integers and as -1..1 in floats, roughly the range of normalised network inputs."""
    if tf.as_dtype(dtype).is_floating:
        return (2 * unit - 1).astype(dtype)
    return np.round(min(255, tf.as_dtype(dtype).max) * unit).astype(dtype)
