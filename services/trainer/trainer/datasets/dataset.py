"""A data set on disk: images, masks of class ids, and an index with the class map.

::

    dataset.json           classes, the seed of the splits, and each item's id, image, mask, and if it has them its
                           group and its fixed split
    images/<id>.<suffix>   upright (EXIF orientation applied), JPEG or PNG
    masks/<id>.png         one channel, 8 bits: class ids, 255 = ignore
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contract import CardError, ClassInfo
from contract.durable import replace_file
from trainer.errors import UserError

INDEX_NAME = "dataset.json"
FORMAT_VERSION = 2
_READABLE = (1, FORMAT_VERSION)  # 1 had neither groups nor fixed splits

# Fractions of the data set, by group: see `split_of`.
_TEST, _VALIDATION = 0.15, 0.10
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Item:
    """One labelled image; the paths are relative to the data set's folder.

    Images of one ``group``, such as the frames of one video, are in the same split. ``split`` is the image's split in
    the source, if it has one.
    """

    id: str
    image: str
    mask: str
    group: str | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(f"item {self.id!r} is in split {self.split!r}, expected one of {', '.join(SPLITS)}")


@dataclass(frozen=True)
class Dataset:
    """A data set: its folder, its classes (background first), its items in a fixed order, the seed of its splits."""

    root: Path
    classes: tuple[ClassInfo, ...]
    items: tuple[Item, ...]
    split_seed: int = 0

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of this set; the last one is for the final metrics.

        That is ``test``, or ``validation`` if the source has fixed every split and has no labelled test image.
        """
        fixed = {item.split for item in self.items}
        return SPLITS if None in fixed or not fixed else tuple(name for name in SPLITS if name in fixed)

    def split(self, name: str) -> list[Item]:
        """The items of ``train``, ``validation`` or ``test``.

        Raises:
            UserError: no such split, or it is empty.
        """
        if name not in SPLITS:
            raise UserError(f"there is no split {name!r}: choose one of {', '.join(SPLITS)}")
        chosen = [item for item in self.items if self.split_of(item) == name]
        if not chosen:
            raise UserError(
                f"{self.root}: none of {len(self.items)} images is in the {name} split: "
                "label more images, or import them with a different --split-seed"
            )
        return chosen

    def split_of(self, item: Item) -> str:
        """The split in the source, or else the one from the hash of the item's group or id."""
        return item.split or split_of(item.group or item.id, self.split_seed)

    def save(self) -> None:
        """Write ``dataset.json`` atomically."""
        content = {
            "format_version": FORMAT_VERSION,
            "split_seed": self.split_seed,
            "classes": [dataclasses.asdict(c) for c in self.classes],
            "items": [{k: v for k, v in dataclasses.asdict(i).items() if v is not None} for i in self.items],
        }
        replace_file(self.root / INDEX_NAME, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def load_dataset(root: Path) -> Dataset:
    """Read a data set's index.

    Raises:
        UserError: ``root`` is not a data set of this format.
    """
    path = root / INDEX_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format_version"] not in _READABLE:
            raise ValueError(f"format_version {content['format_version']}, this trainer reads {_READABLE}")
        classes = tuple(ClassInfo(c["id"], c["name"], tuple(c["color"])) for c in content["classes"])
        return Dataset(root, classes, tuple(Item(**item) for item in content["items"]), content["split_seed"])
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{root} is not a data set: {INDEX_NAME} is missing. `segstack data import --help` lists how to make one"
        ) from None
    except (CardError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): import the labels again") from None


def split_of(key: str, seed: int) -> str:
    """The split of a group, or of an image without one, from a hash of its name: adding images never moves another."""
    position = _position(key, seed)
    if position < _TEST:
        return "test"
    return "validation" if position < _TEST + _VALIDATION else "train"


def train_or_validation(key: str, seed: int) -> str:
    """As :func:`split_of`, for the training images of a source that has its own test images."""
    return "validation" if _position(key, seed) < _VALIDATION else "train"


def _position(key: str, seed: int) -> float:
    """A hash of the key as a number from 0 to 1."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def is_system_file(name: str) -> bool:
    """Whether an operating system has left this file in a folder or zip, as macOS and Windows do."""
    last = PurePosixPath(name).name
    return name.startswith("__MACOSX/") or last.startswith("._") or last in {".DS_Store", "Thumbs.db", "desktop.ini"}
