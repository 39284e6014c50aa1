"""The classes of a network that brings none: names, in the order of its channels, and colours to show them in."""

from pathlib import Path

from contract import CardError, ClassInfo
from trainer.data.dataset import INDEX_NAME, load_dataset
from trainer.data.labelmap import parse_color, voc_color
from trainer.errors import UserError

# The 19 training classes of Cityscapes in the order of their train ids, and the data set's own colours
# (mcordts/cityscapesScripts, helpers/labels.py).
CITYSCAPES = tuple(
    ClassInfo(number, name, color)
    for number, (name, color) in enumerate(
        {
            "road": (128, 64, 128),
            "sidewalk": (244, 35, 232),
            "building": (70, 70, 70),
            "wall": (102, 102, 156),
            "fence": (190, 153, 153),
            "pole": (153, 153, 153),
            "traffic light": (250, 170, 30),
            "traffic sign": (220, 220, 0),
            "vegetation": (107, 142, 35),
            "terrain": (152, 251, 152),
            "sky": (70, 130, 180),
            "person": (220, 20, 60),
            "rider": (255, 0, 0),
            "car": (0, 0, 142),
            "truck": (0, 0, 70),
            "bus": (0, 60, 100),
            "train": (0, 80, 100),
            "motorcycle": (0, 0, 230),
            "bicycle": (119, 11, 32),
        }.items()
    )
)

CLASSES_HELP = (
    "in the order of the channels: `cityscapes`; names with commas between; a text file with a NAME or NAME:R,G,B on "
    "each line; or a data set's folder"
)


def parse_classes(text: str) -> tuple[ClassInfo, ...]:
    """The classes that ``text`` names: ``cityscapes``, names with commas between, a text file, a data set's folder.

    Colours that are not given are those of the PASCAL VOC palette.

    Raises:
        UserError: no such file, or a line, a colour or a set of names that cannot be.
    """
    if text == "cityscapes":
        return CITYSCAPES
    path = Path(text)
    if path.is_dir() or path.name == INDEX_NAME:
        return load_dataset(path if path.is_dir() else path.parent).classes
    if path.is_file():
        try:
            content = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise UserError(f"{path} is no text: expected a NAME or NAME:R,G,B on each line") from None
        lines = [line.strip() for line in content.splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
    elif "," in text:
        lines = [name.strip() for name in text.split(",")]
    else:
        raise UserError(f"--classes {text}: there is no such file; expected {CLASSES_HELP}")
    try:
        return tuple(_class(number, line, text) for number, line in enumerate(lines))
    except CardError as error:
        raise UserError(f"--classes {text}: {error}") from None


def _class(number: int, line: str, where: str) -> ClassInfo:
    """A line may be one of CVAT's labelmap.txt, which goes on after the colour."""
    name, _, rest = line.partition(":")
    color = parse_color(rest.split(":")[0].strip(), f"--classes {where}, {name}")
    return ClassInfo(number, name.strip(), color or voc_color(number))
