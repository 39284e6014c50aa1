"""The images that engines are calibrated on and masks are compared on."""

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
    """``files`` in the order in which they are used; None: synthetic images. ``origin`` says where they are from."""

    origin: str
    files: Optional[Tuple[Path, ...]]

    @property
    def synthetic(self) -> bool:
        """Whether nobody gave any."""
        return self.files is None

    def names(self) -> List[str]:
        """What to call each of them."""
        return [f"synthetic {i}" for i in range(_SYNTHETIC)] if self.files is None else [f.name for f in self.files]

    def read(self, index: int, height: int, width: int) -> Any:
        """One of them as uint8 [H, W, 3] RGB, stretched to this size.

        Raises:
            ConverterError: the file is no image; the message names it.
        """
        if self.files is None:
            return _natural(index, height, width)
        path = self.files[index]
        try:
            with tf.device("/CPU:0"):
                return decode(tf.io.read_file(str(path)), height, width).numpy()
        except tf.errors.OpError:
            raise ConverterError(f"{path} cannot be read as a JPEG or PNG: take it out, or mend it") from None


def decode(data: Any, height: int, width: int) -> Any:
    """A JPEG or PNG as uint8 [H, W, 3], in the trainer's own words: the same JPEG gives the same pixels."""
    pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")  # the operation takes PNG as well
    return tf.cast(tf.round(tf.image.resize(pixels, [height, width])), tf.uint8)


def choose(options: Options) -> Tuple[Images, Optional[Images]]:
    """The images to compare on, and those to calibrate on where there are to be any; no image is among both.

    Raises:
        ConverterError: a folder has no images, or too few for both.
    """
    where, wanted = options.calibration_data, options.max_images
    if where is None:
        return _compared(options.images, wanted), None
    files = _files(where)
    if options.images is not None and options.images.absolute() != where.absolute():
        return _compared(options.images, wanted), Images(where.name, _evenly(files, wanted))
    if len(files) < 2:
        raise ConverterError(f"{where} holds one image: expected more, half to calibrate and half to compare on")
    return Images(where.name, _evenly(files[1::2], wanted)), Images(where.name, _evenly(files[::2], wanted))


def _compared(folder: Optional[Path], wanted: int) -> Images:
    return Images("synthetic", None) if folder is None else Images(folder.name, _evenly(_files(folder), wanted))


def _files(folder: Path) -> List[Path]:
    """Those of a data set by its index, those of a plain folder by their suffixes; by name."""
    index = folder / _DATASET_INDEX
    if index.is_file():
        try:
            files = [folder / item["image"] for item in json.loads(index.read_text(encoding="utf-8"))["items"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ConverterError(f"{index} cannot be read ({error!r}): import the labels again") from None
    elif folder.is_dir():
        files = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES]
    else:
        raise ConverterError(f"{folder} is no folder: expected a data set, or a folder of JPEG and PNG images")
    if not files:
        raise ConverterError(f"{folder} holds no JPEG or PNG: name the folder that they are in")
    return sorted(files)


def _evenly(files: Sequence[Path], wanted: int) -> Tuple[Path, ...]:
    """At most ``wanted``, from the first to the last: neighbours are often frames of one video."""
    if len(files) <= wanted:
        return tuple(files)
    return tuple(files[round(i * (len(files) - 1) / max(1, wanted - 1))] for i in range(wanted))


def _natural(seed: int, height: int, width: int) -> Any:
    """Noise with the 1/f amplitudes of natural images (Field, 1987), around a colour of its own.

    Nothing in it is an object, so masks are near-ties in more places than on photographs.
    """
    random = np.random.default_rng(seed)
    white = random.standard_normal((height, width, 3))
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(height, width))[..., None]
    pink = np.fft.irfft2(np.fft.rfft2(white, axes=(0, 1)) / frequency, s=(height, width), axes=(0, 1))
    pixels = random.uniform(64, 192, 3) + 48 * pink / pink.std()
    return np.clip(pixels, 0, 255).round().astype(np.uint8)
