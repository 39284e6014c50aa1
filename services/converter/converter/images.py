"""The images to calibrate engines on and to compare masks on."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from converter.arguments import Options
from converter.errors import ConverterError

_SUFFIXES = (".jpg", ".jpeg", ".png")
_DATASET_INDEX = "dataset.json"
_SYNTHETIC = 8


@dataclass(frozen=True)
class Images:
    """``files`` in the order of their use, or None for synthetic images; ``origin`` is their folder's name."""

    origin: str
    files: Optional[Tuple[Path, ...]]

    @property
    def synthetic(self) -> bool:
        """Whether no images were given."""
        return self.files is None

    def names(self) -> List[str]:
        """A name for each of them."""
        return [f"synthetic {i}" for i in range(_SYNTHETIC)] if self.files is None else [f.name for f in self.files]

    def read(self, index: int, height: int, width: int) -> Any:
        """One of them as uint8 [H, W, 3] RGB, stretched to this size.

        Raises:
            ConverterError: the file cannot be decoded.
        """
        if self.files is None:
            return _pink_noise(index, height, width)
        path = self.files[index]
        try:
            with tf.device("/CPU:0"):
                return decode(tf.io.read_file(str(path)), height, width).numpy()
        except tf.errors.OpError:
            raise ConverterError(f"{path} cannot be decoded as a JPEG or PNG: remove or replace it") from None


def decode(data: Any, height: int, width: int) -> Any:
    """A JPEG or PNG as uint8 [H, W, 3], decoded and resized exactly as by the trainer."""
    pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")  # the operation also decodes PNG
    return tf.cast(tf.round(tf.image.resize(pixels, [height, width])), tf.uint8)


def choose(options: Options) -> Tuple[Images, Optional[Images]]:
    """The images to compare on and, if requested, those to calibrate on; no image is in both.

    Raises:
        ConverterError: a folder has no images, or too few for both.
    """
    folder, count = options.calibration_data, options.max_images
    if folder is None:
        return _to_compare(options.images, count), None
    files = _files(folder)
    if options.images is not None and options.images.absolute() != folder.absolute():
        return _to_compare(options.images, count), Images(folder.name, _evenly(files, count))
    if len(files) < 2:
        raise ConverterError(f"{folder} has one image: expected at least two, half to calibrate and half to compare on")
    return Images(folder.name, _evenly(files[1::2], count)), Images(folder.name, _evenly(files[::2], count))


def _to_compare(folder: Optional[Path], count: int) -> Images:
    return Images("synthetic", None) if folder is None else Images(folder.name, _evenly(_files(folder), count))


def _files(folder: Path) -> List[Path]:
    """The images of a data set by its index, or of a plain folder by suffix; sorted."""
    index = folder / _DATASET_INDEX
    if index.is_file():
        try:
            files = [folder / item["image"] for item in json.loads(index.read_text(encoding="utf-8"))["items"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ConverterError(f"{index} cannot be read ({error!r}): import the data set again") from None
    elif folder.is_dir():
        files = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES]
    else:
        raise ConverterError(f"{folder} is not a folder: expected a data set, or a folder of JPEG and PNG images")
    if not files:
        raise ConverterError(f"{folder} contains no JPEG or PNG images; sub-folders are not searched")
    return sorted(files)


def _evenly(files: Sequence[Path], count: int) -> Tuple[Path, ...]:
    """At most ``count``, evenly spaced: neighbours are often frames of one video."""
    if len(files) <= count:
        return tuple(files)
    return tuple(files[round(i * (len(files) - 1) / max(1, count - 1))] for i in range(count))


def _pink_noise(seed: int, height: int, width: int) -> Any:
    """Noise with the 1/f amplitude spectrum of natural images (Field, 1987), around a random colour.

    It shows no objects, so its masks have more near-ties than those of photographs.
    """
    random = np.random.default_rng(seed)
    white = random.standard_normal((height, width, 3))
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))[..., None]
    pink = np.fft.irfft2(np.fft.rfft2(white, axes=(0, 1)) / frequency, s=(height, width), axes=(0, 1))
    pixels = random.uniform(64, 192, 3) + 48 * pink / pink.std()
    return np.clip(pixels, 0, 255).round().astype(np.uint8)
