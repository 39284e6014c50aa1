"""``--classes`` for a network without a class map: names in the order of its channels, and colours."""

from pathlib import Path

from contract import CardError, ClassInfo
from trainer.datasets.class_colors import parse_color, voc_color
from trainer.datasets.dataset import INDEX_NAME, load_dataset
from trainer.errors import UserError
from trainer.sources.cityscapes import CLASSES as CITYSCAPES
from trainer.sources.masks.class_files import read_class_file

# In the order of its annotations' values, with the palette of its masks (Everingham et al., IJCV 2010).
_VOC_NAMES = [
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat",
    "chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant",
    "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip
PASCAL_VOC = tuple(ClassInfo(value, name, voc_color(value)) for value, name in enumerate(_VOC_NAMES))
_KNOWN = {"cityscapes": CITYSCAPES, "pascal_voc": PASCAL_VOC}

CLASSES_HELP = (
    "in the order of the channels: `cityscapes` or `pascal_voc`; names separated by commas; a text file with a NAME or "
    "NAME:R,G,B on each line; a YAML or JSON file as for `segstack data import folder`; or a data set's folder"
)


def parse_classes(text: str) -> tuple[ClassInfo, ...]:
    """The classes of ``text``, in any of the forms in :data:`CLASSES_HELP`.

    Missing colours are those of the PASCAL VOC palette.

    Raises:
        UserError: no such file, or an invalid line, colour or set of names.
    """
    if text in _KNOWN:
        return _KNOWN[text]
    path = Path(text)
    if path.is_dir() or path.name == INDEX_NAME:
        return load_dataset(path if path.is_dir() else path.parent).classes
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        return read_class_file(path).classes
    if path.is_file():
        try:
            content = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise UserError(f"{path} is not a text file: expected a NAME or NAME:R,G,B on each line") from None
        lines = [line.strip() for line in content.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
    elif "," in text:
        lines = [name.strip() for name in text.split(",")]
    else:
        raise UserError(f"--classes {text}: no such file; expected {CLASSES_HELP}")
    try:
        return tuple(_class(number, line, text) for number, line in enumerate(lines))
    except CardError as error:
        raise UserError(f"--classes {text}: {error}") from None


def _class(number: int, line: str, where: str) -> ClassInfo:
    """A line ``NAME`` or ``NAME:R,G,B``, or one of CVAT's labelmap.txt, which has more fields after the colour."""
    name, _, rest = line.partition(":")
    color = rest.split(":")[0].strip()
    return ClassInfo(
        number, name.strip(), parse_color(color, f"--classes {where}, {name}") if color else voc_color(number)
    )
