"""Colours of classes: the PASCAL VOC palette, a colour as text, and what a set of classes must not share."""

from collections.abc import Iterable

from trainer.errors import UserError

BACKGROUND = "background"
Color = tuple[int, int, int]  # RGB, 0 to 255


def voc_color(index: int) -> Color:
    """Colour ``index`` of the PASCAL VOC palette: its bits go to R, G and B alternately, highest bits first."""
    color = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            color[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return color[0], color[1], color[2]


def parse_color(text: str, where: str) -> Color:
    """Parse ``R,G,B``.

    Raises:
        UserError: it is anything else.
    """
    try:
        red, green, blue = (int(part) for part in text.split(","))
    except ValueError:
        red = -1
    if red < 0 or not all(0 <= channel <= 255 for channel in (red, green, blue)):
        raise UserError(f"{where}: expected a colour R,G,B with values 0 to 255, found {text!r}")
    return red, green, blue


def require_unique(labels: Iterable[tuple[str, Color]], where: str) -> None:
    """Raise UserError if two labels share a name or a colour."""
    names: set[str] = set()
    name_of: dict[Color, str] = {}
    for name, color in labels:
        if name in names:
            raise UserError(f"{where}: the name {name!r} occurs twice: give each label its own")
        if color in name_of:
            raise UserError(f"{where}: {name_of[color]!r} and {name!r} share the colour {color}: give each its own")
        names.add(name)
        name_of[color] = name
