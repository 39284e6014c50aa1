"""How a result is drawn, and which file formats can hold it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage

from contract import ClassInfo
from trainer.datasets.drawing import Image, colorize, contours, overlay
from trainer.errors import UserError

_JPEG_QUALITY = 92


@dataclass(frozen=True)
class RenderStyle:
    """How a mask is drawn.

    ``overlay``: its colours over the image, with the opacity ``alpha``; ``contours``: outlines on the image;
    ``color``: the colours alone; ``mask``: class ids, as an indexed PNG whose palette holds the colours.
    """

    form: str = "overlay"
    alpha: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise UserError(f"--alpha {self.alpha:g}: expected 0 (the image alone) to 1 (the colours alone)")

    @property
    def image_suffixes(self) -> frozenset[str]:
        """The formats of a result: ids and flat colours need a lossless one."""
        return frozenset({".png"} if self.form in ("mask", "color") else {".png", ".jpg", ".jpeg", ".webp"})

    def suffix(self, source: Path, is_image: bool) -> str:
        """The result's suffix: that of ``source`` where it fits."""
        if not is_image:
            return ".mp4"
        suffix = source.suffix
        return suffix if suffix.lower() in self.image_suffixes else ".png"

    def require_for_video(self) -> None:
        """Raise UserError if a video's compression would change the result."""
        if self.form == "mask":
            raise UserError(
                "--form mask: a video's compression changes class ids. Take images of it with "
                "`segstack data frames VIDEO --output FRAMES`, or choose --form color"
            )

    def draw(self, image: Image, mask: Image, classes: Sequence[ClassInfo]) -> Image:
        """RGB uint8 [H, W, 3] of an image and its class ids [H, W]; the form ``mask`` gives the ids themselves."""
        match self.form:
            case "overlay":
                return overlay(image, mask, classes, self.alpha)
            case "contours":
                return contours(image, mask, classes)
            case "color":
                return colorize(mask, classes)
            case _:
                return mask


def encode(image: Image, suffix: str, classes: Sequence[ClassInfo]) -> bytes:
    """The file of RGB [H, W, 3], or of class ids [H, W] with the classes' colours as its palette."""
    if image.ndim == 2:
        indexed = PillowImage.fromarray(image, "P")
        palette = np.zeros((256, 3), np.uint8)
        for c in classes:
            palette[c.id] = c.color
        indexed.putpalette(palette.tobytes())
        buffer = io.BytesIO()
        indexed.save(buffer, "PNG")
        return buffer.getvalue()
    quality = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".jpeg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}
    options = [quality[suffix.lower()], _JPEG_QUALITY] if suffix.lower() in quality else []
    return cv2.imencode(suffix.lower(), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
