"""What the two files of a pair hold, read once: size, label values, fingerprints, and what is wrong with them."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.datasets.dataset import Item

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# PNG's IHDR: bit depth and colour type stand at fixed places behind the signature.
_BIT_DEPTH, _COLOR_TYPE = 24, 25
_GREY = 0

# A border that nearest neighbour has left alone jumps from one class to the other. Interpolation puts a value between.
_BLURRED_FRACTION = 0.3
_BLURRED_PIXELS = 50


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file of the data set, and what to do about it."""

    file: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}; {self.remedy}"


@dataclass(frozen=True)
class Inspection:
    """One pair as its files are.

    Attributes:
        height, width: of the image, pixels.
        pixels: how many pixels of the mask have each value that it holds.
        digest: SHA-256 of the decoded image; equal for equal pixels, whatever the file format.
        fingerprint: a difference hash of 64 bits; few bits differ between pictures that look the same.
        blurred: whether the mask's borders look interpolated.
        faults: why the pair cannot be used; the other facts are missing then.
    """

    height: int = 0
    width: int = 0
    pixels: dict[int, int] = field(default_factory=dict)
    digest: str = ""
    fingerprint: int = 0
    blurred: bool = False
    faults: tuple[Fault, ...] = ()


def inspect(root: Path, item: Item) -> Inspection:
    """Read and judge one pair; nothing is raised for what its files hold."""
    image, mask = _image(root, item.image), _mask(root, item.mask)
    faults = tuple(found for found in (image, mask) if isinstance(found, Fault))
    if isinstance(image, Fault) or isinstance(mask, Fault):
        return Inspection(faults=faults)
    height, width = image.shape[:2]
    if mask.shape != (height, width):
        what = f"is {mask.shape[1]}x{mask.shape[0]} but {item.image} is {width}x{height} (width x height)"
        remedy = "import the pair again, and never resize or turn one without the other"
        return Inspection(height, width, faults=(Fault(item.mask, what, remedy),))
    counts = np.bincount(mask.ravel(), minlength=256)
    return Inspection(
        height,
        width,
        {int(value): int(counts[value]) for value in np.flatnonzero(counts)},
        hashlib.sha256(np.ascontiguousarray(image).data).hexdigest(),
        _difference_hash(image),
        _looks_blurred(mask),
    )


def _image(root: Path, name: str) -> NDArray[np.uint8] | Fault:
    """BGR [H, W, 3], as the pixels are stored: EXIF is not read by what trains on them."""
    data = _read(root / name)
    if isinstance(data, str):
        return Fault(name, data, "restore the file, or import the data set again")
    if not data.startswith((_JPEG, _PNG)):
        return Fault(name, "is neither a JPEG nor a PNG inside", "convert it, and import the data set again")
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None:
        return Fault(name, "cannot be decoded, as it is damaged or not whole", "replace it, or remove its label")
    if b"Exif" in data or b"eXIf" in data:
        upright = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if upright is None or not np.array_equal(image, upright):
            return Fault(name, "is turned by its EXIF orientation, which training does not read", "import it again")
    return np.asarray(image, np.uint8)


def _mask(root: Path, name: str) -> NDArray[np.uint8] | Fault:
    data = _read(root / name)
    if isinstance(data, str):
        return Fault(name, data, "restore the file, or import the data set again")
    if not data.startswith(_PNG):
        return Fault(name, "is not a PNG inside", "import the labels again: other formats change their values")
    if len(data) > _COLOR_TYPE and (data[_BIT_DEPTH], data[_COLOR_TYPE]) != (8, _GREY):
        return Fault(name, "is not a PNG of one grey channel of 8 bits", "import the labels again from their source")
    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if mask is None:
        return Fault(name, "cannot be decoded, as it is damaged or not whole", "import the labels again")
    return np.asarray(mask, np.uint8)


def _read(path: Path) -> bytes | str:
    """The file's bytes, or why there are none."""
    try:
        return path.read_bytes() or "is empty"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _difference_hash(image: NDArray[np.uint8]) -> int:
    """Whether each of 8x8 coarse cells is brighter than its right neighbour, as 64 bits."""
    small = cv2.cvtColor(cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes())


def _looks_blurred(mask: NDArray[np.uint8]) -> bool:
    """Whether many border pixels have a value strictly between their two neighbours', in a row or a column.

    Ids that lie far apart leave other classes' ids along their border when a mask is interpolated: all of them may be
    in the class map, so only their place gives them away.
    """
    between = borders = 0
    for across in (mask, mask.T):
        before, here, after = across[:-2], across[1:-1], across[2:]
        ramps = ((before < here) & (here < after)) | ((before > here) & (here > after))
        between += int(np.count_nonzero(ramps))
        borders += int(np.count_nonzero(before != after)) // 2
    return between > max(_BLURRED_PIXELS, _BLURRED_FRACTION * borders)
