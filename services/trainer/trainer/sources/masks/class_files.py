"""``--classes FILE``: the class of each value or colour of a mask. The file is one of:

- ``labelmap.txt`` as CVAT writes it: colours; an index counts its lines;
- YAML or JSON: a list of names, ``{value: name}``, or a list of ``{id, name, color}``, alone or under ``classes``, as
  ``dataset.json`` has it. A colour is ``[R, G, B]``; give one to all classes or to none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from contract import IGNORE_ID, ClassInfo
from trainer.datasets.class_colors import Color, require_unique, voc_color
from trainer.errors import UserError, one_line
from trainer.sources.cvat.labelmap import parse_labelmap


@dataclass(frozen=True)
class ClassFile:
    """Classes with ids 0..C-1; the class id of each value; ``colored`` if the file itself gives the colours."""

    classes: tuple[ClassInfo, ...]
    id_of: Mapping[int, int]
    colored: bool


def read_class_file(path: Path) -> ClassFile:
    """Read a class file. If the values are not 0, 1, 2, …, classes are numbered in the order of their values.

    Raises:
        UserError: no such file, none of those forms, or a name, value or colour occurs twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--classes {path}: cannot be read ({error})") from None
    if path.suffix.lower() == ".txt":
        labelmap = parse_labelmap(text, str(path))
        return ClassFile(labelmap.classes, dict(enumerate(labelmap.class_of_index)), colored=True)
    try:
        entries = _entries(yaml.safe_load(text))  # JSON is YAML
    except (yaml.YAMLError, TypeError, ValueError, LookupError, AttributeError) as error:
        raise UserError(
            f"{path}: is not a class map ({one_line(error)}): expected a list of names, VALUE: NAME "
            "lines, or entries of id, name and color"
        ) from None
    return _class_file(entries, str(path))


def class_file_of_names(names: Sequence[str], where: str) -> ClassFile:
    """The classes of a list of names; their values count from 0."""
    return _class_file([(value, name, None) for value, name in enumerate(names)], where)


def _entries(content: Any) -> list[tuple[int, str, Color | None]]:
    if isinstance(content, dict) and "classes" in content:
        content = content["classes"]
    if isinstance(content, dict):
        return [(_value(value), str(name), None) for value, name in content.items()]
    if not isinstance(content, list):
        raise TypeError(f"found {type(content).__name__}")
    if all(isinstance(entry, dict) for entry in content):
        return [(_value(e["id"]), str(e["name"]), _color(e.get("color"))) for e in content]
    return [(value, str(name), None) for value, name in enumerate(content)]


def _value(value: Any) -> int:
    if not 0 <= int(value) < IGNORE_ID:
        raise ValueError(f"value {value} is not 0 to 254; {IGNORE_ID} is ignored and has no name")
    return int(value)


def _color(color: Any) -> Color | None:
    return None if color is None else (int(color[0]), int(color[1]), int(color[2]))


def _class_file(entries: list[tuple[int, str, Color | None]], where: str) -> ClassFile:
    entries = sorted(entries, key=lambda entry: entry[0])
    values = [value for value, _, _ in entries]
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise UserError(f"{where}: the value {twice} occurs twice: give each class its own")
    if len(entries) < 2:
        raise UserError(f"{where}: names {len(entries)} class: expected two or more, background among them")
    colors = [color for _, _, color in entries]
    if None in colors and set(colors) != {None}:
        raise UserError(f"{where}: gives a color to only some classes: give one to all, or to none")
    classes = tuple(ClassInfo(n, name, color or voc_color(n)) for n, (_, name, color) in enumerate(entries))
    require_unique(((c.name, c.color) for c in classes), where)
    return ClassFile(classes, {value: n for n, value in enumerate(values)}, colored=None not in colors)
