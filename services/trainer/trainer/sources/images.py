"""The encoded images of a source, by id, and decoding them upright."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError
from trainer.sources.archive import Archive

# Formats that are stored unchanged; images in others are stored as PNG.
STORED_UNCHANGED = frozenset({".jpg", ".jpeg", ".png"})
IMAGE_SUFFIXES = frozenset({*STORED_UNCHANGED, ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class EncodedImage:
    """An encoded image: its name for messages, which ends in its suffix, and a function that reads its bytes."""

    name: str
    read: Callable[[], bytes]

    @property
    def suffix(self) -> str:
        """The suffix in lower case, with its dot."""
        return PurePosixPath(self.name).suffix.lower()


def find_images(archive: Archive, folder: str = "") -> dict[str, EncodedImage]:
    """Every image below ``folder/`` of an archive by its id: its path without the suffix.

    Raises:
        UserError: two images share one id.
    """
    images: dict[str, EncodedImage] = {}
    for name in archive.names:
        suffix = PurePosixPath(name).suffix
        if not name.startswith(folder) or suffix.lower() not in IMAGE_SUFFIXES:
            continue
        image = EncodedImage(f"{archive.path}: {name}", partial(archive.read, name))
        item_id = name[len(folder) :].removesuffix(suffix)
        if item_id in images:
            raise UserError(f"{image.name} and {images[item_id].name} share one id: remove or rename one")
        images[item_id] = image
    return images


def decode_upright(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode an image as BGR [H, W, 3], rotated by its EXIF orientation.

    Raises:
        UserError: it cannot be decoded.
    """
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if upright is None:
        raise UserError(f"{name}: cannot be decoded as an image: replace it, or remove its label")
    return np.asarray(upright, np.uint8)


def is_rotated(data: bytes, upright: NDArray[np.uint8]) -> bool:
    """Whether the file's EXIF orientation changes the image."""
    if b"Exif" not in data and b"eXIf" not in data:  # JPEG, WebP and TIFF spell it one way, PNG the other
        return False
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return raw is None or not np.array_equal(raw, upright)
