"""The images of a source, by id, before any of them is read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.errors import UserError
from trainer.sources.archive import Archive

# Formats that every later reader takes as they are; the others become PNG.
KEPT_AS_THEY_ARE = frozenset({".jpg", ".jpeg", ".png"})
IMAGE_SUFFIXES = frozenset({*KEPT_AS_THEY_ARE, ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class EncodedImage:
    """An encoded image: its name for messages, which ends in its suffix, and how its bytes are read."""

    name: str
    read: Callable[[], bytes]

    @property
    def suffix(self) -> str:
        """The suffix in lower case, dot included."""
        return PurePosixPath(self.name).suffix.lower()


def find_images(archive: Archive, folder: str = "") -> dict[str, EncodedImage]:
    """Every image below ``folder/`` of an archive by its id: its path without the suffix.

    Raises:
        UserError: two images share one id.
    """
    pictures: dict[str, EncodedImage] = {}
    for name in archive.names:
        suffix = PurePosixPath(name).suffix
        if not name.startswith(folder) or suffix.lower() not in IMAGE_SUFFIXES:
            continue
        picture = EncodedImage(f"{archive.path}: {name}", partial(archive.read, name))
        item_id = name[len(folder) :].removesuffix(suffix)
        if item_id in pictures:
            raise UserError(f"{picture.name} and {pictures[item_id].name} share one id: remove or rename one")
        pictures[item_id] = picture
    return pictures


def decode_upright(data: bytes, name: str) -> NDArray[np.uint8]:
    """BGR [H, W, 3], turned as the EXIF orientation says.

    Raises:
        UserError: no image that can be decoded.
    """
    upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if upright is None:
        raise UserError(f"{name}: cannot be decoded as an image: replace it, or remove its label")
    return np.asarray(upright, np.uint8)


def is_turned(data: bytes, upright: NDArray[np.uint8]) -> bool:
    """Whether the file's EXIF orientation changes how it is seen."""
    if b"Exif" not in data and b"eXIf" not in data:  # JPEG, WebP and TIFF spell it one way, PNG the other
        return False
    raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return raw is None or not np.array_equal(raw, upright)
