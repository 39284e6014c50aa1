"""What comes back: masks with their classes, and who made them in what time."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segclient import images as pictures
from segclient.images import Mask, Picture

# What label sets call "nothing of interest", always as class 0; overlays leave it unpainted, as the gateway's do.
_BACKGROUND_NAMES = frozenset({"background", "_background_"})


@dataclass(frozen=True)
class ClassInfo:
    """One class of a model: the pixel value in masks, its name, and its colour as red, green, blue."""

    id: int
    name: str
    color: tuple[int, int, int]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """From the gateway's JSON."""
        red, green, blue = fields["color"]
        return cls(int(fields["id"]), str(fields["name"]), (int(red), int(green), int(blue)))

    @property
    def is_background(self) -> bool:
        """Stands for nothing of interest."""
        return self.id == 0 and self.name.casefold() in _BACKGROUND_NAMES


@dataclass(frozen=True)
class Timings:
    """Where the time went, in milliseconds: in the gateway by stage, and from sending to having the reply."""

    decode_ms: float
    queue_ms: float
    infer_ms: float
    encode_ms: float
    round_trip_ms: float


@dataclass(frozen=True)
class Models:
    """The models that the gateway knows; ``default`` answers where none is named, None while there is none."""

    names: tuple[str, ...]
    default: str | None


@dataclass(frozen=True)
class Reply:
    """A reply as the gateway encoded it, to be stored as it is.

    Attributes:
        body: PNG, JPEG, WebP or JSON, as ``media_type`` says.
        model, version: who answered.
        request_id: finds the request in the gateway's log.
    """

    body: bytes
    media_type: str
    model: str
    version: int
    timings: Timings
    request_id: str


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A mask and what its values mean.

    Attributes:
        mask: uint8 [H,W] class ids; ``ignore_id`` where there is none.
        classes: all that the model knows, whether in the mask or not.
        model, version: who answered.
    """

    mask: Mask
    classes: tuple[ClassInfo, ...]
    ignore_id: int
    model: str
    version: int
    timings: Timings

    @cached_property
    def areas(self) -> dict[str, float]:
        """Fraction of all pixels, by name, of each class that is in the mask."""
        counts = np.bincount(self.mask.reshape(-1), minlength=256)
        return {c.name: float(counts[c.id] / self.mask.size) for c in self.classes if counts[c.id]}

    def stretched(self, height: int, width: int) -> Self:
        """The same with a mask of another size: nearest neighbour, no new ids."""
        return replace(self, mask=pictures.stretch(self.mask, height, width))

    def color(self) -> Picture:
        """The mask in its classes' colours, uint8 [H,W,3], RGB; black where no class is."""
        return pictures.colorize(self.mask, self._colors)

    def overlay(self, image: Picture, alpha: float = 0.5) -> Picture:
        """``image``, uint8 [H,W,3] RGB of any size, with the classes' colours laid over it.

        ``alpha`` 0 shows the image alone, 1 the colours alone; ignored and background pixels stay the image's own.
        """
        return pictures.overlay(image, self.mask, self._colors, self._painted, alpha)

    @property
    def _colors(self) -> NDArray[np.uint8]:
        table = np.zeros((256, 3), np.uint8)
        for c in self.classes:
            table[c.id] = c.color
        return table

    @property
    def _painted(self) -> NDArray[np.uint8]:
        table = np.zeros(256, np.uint8)
        for c in self.classes:
            table[c.id] = 0 if c.is_background else 255
        return table


@dataclass(frozen=True, eq=False)
class StreamResult(Segmentation):
    """The segmentation of one frame of a stream.

    Attributes:
        frame: the very frame that the mask belongs to, as it was given.
        sequence: its number, from 0; those missing were dropped for newer ones.
        dropped: how many were, since the result before.
    """

    frame: Picture
    sequence: int
    dropped: int

    def overlay(self, image: Picture | None = None, alpha: float = 0.5) -> Picture:
        """As :meth:`Segmentation.overlay`, over the frame itself where nothing else is given."""
        return super().overlay(self.frame if image is None else image, alpha)
