"""The model card: a published segmentation model's metadata, as versioned JSON.

Every published version has it twice, as the same text: programs get it from the ``describe`` signature, and
``assets.extra/model_card.json`` is for human readers.
"""

import dataclasses
import json
import re
import typing
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple, Type, TypeVar, Union

SCHEMA_VERSION = 1
IGNORE_ID = 255

# A model's name is a folder, a URL segment and a line of models.config.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

_Record = TypeVar("_Record")


class CardError(ValueError):
    """A model card violates the contract; the message names the field and what was expected."""


def check_model_name(name: str) -> str:
    """Return ``name``, or raise :class:`CardError` when it cannot be a folder and a URL segment."""
    if not isinstance(name, str) or not _MODEL_NAME.fullmatch(name):
        raise CardError(
            f"model name {name!r}: expected a letter or digit, then at most 127 letters, digits, '.', '_' or '-'"
        )
    return name


@dataclass(frozen=True)
class ClassInfo:
    """One class of the mask: its id (the pixel value), its name and its RGB display colour, each 0..255."""

    id: int
    name: str
    color: Tuple[int, int, int]

    def __post_init__(self) -> None:
        if not 0 <= self.id < IGNORE_ID:
            raise CardError(f"class {self.name!r} has id {self.id}: expected 0 to 254, as {IGNORE_ID} is the ignore id")
        if not self.name.strip():
            raise CardError(f"class {self.id} has no name: expected some text")
        if len(self.color) != 3 or not all(0 <= channel <= 255 for channel in self.color):
            raise CardError(f"class {self.name!r} has colour {self.color}: expected R, G, B, each 0 to 255")


@dataclass(frozen=True)
class Preprocessing:
    """What the graph does to its uint8 RGB pixels: ``(pixel * scale - mean) / std``, per channel."""

    scale: float = 1 / 255
    mean: Tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: Tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        if 0 in self.std:
            raise CardError(f"preprocessing std {self.std}: expected no zero, as pixels are divided by it")


@dataclass(frozen=True)
class Metrics:
    """Quality measured on the exported graph: intersection over union in 0..1, excluding ignored pixels.

    ``per_class_iou`` holds None for a class that is neither in the labels nor in the predictions; ``miou``
    is the mean over the others.
    """

    miou: float
    per_class_iou: Dict[str, Optional[float]]
    split: str
    images: int

    def __post_init__(self) -> None:
        for name, iou in [("miou", self.miou), *self.per_class_iou.items()]:
            if iou is not None and not 0 <= iou <= 1:
                raise CardError(f"metrics {name} is {iou}: expected 0 to 1")


@dataclass(frozen=True)
class ModelCard:
    """The metadata of one published version, for clients, the converter and users.

    ``classes`` are numbered 0..C-1 in order, because the mask is an argmax. ``flops`` counts one image at the
    input size, a multiply-add as two. ``weights_sha256`` is over the trained weights, not the SavedModel.

    Raises:
        CardError: a value violates the contract.
    """

    name: str
    architecture: str
    input_height: int
    input_width: int
    classes: Tuple[ClassInfo, ...]
    preprocessing: Preprocessing = Preprocessing()
    ignore_id: int = IGNORE_ID
    metrics: Optional[Metrics] = None
    flops: Optional[int] = None
    parameters: Optional[int] = None
    precision: str = "fp32"
    derived_from: Optional[str] = None
    engine: Optional[Dict[str, Any]] = None
    frameworks: Dict[str, str] = field(default_factory=dict)
    created_at: Optional[str] = None
    git_revision: Optional[str] = None
    weights_sha256: Optional[str] = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_model_name(self.name)
        if self.input_height < 1 or self.input_width < 1:
            raise CardError(
                f"input size {self.input_height}x{self.input_width} (height x width): expected two positive numbers"
            )
        if not 2 <= len(self.classes) <= IGNORE_ID:
            raise CardError(
                f"{len(self.classes)} classes: expected 2 to {IGNORE_ID}; a one-logit network is exported as two"
            )
        if [c.id for c in self.classes] != list(range(len(self.classes))):
            raise CardError(f"class ids {[c.id for c in self.classes]}: expected 0, 1, 2, … in order")
        names = [c.name for c in self.classes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise CardError(f"class names {twice} are repeated: expected each once")
        if self.ignore_id != IGNORE_ID:
            raise CardError(f"ignore id {self.ignore_id}: expected {IGNORE_ID}")

    def to_json(self) -> str:
        """The card as JSON text; equal cards give equal text.

        Raises:
            CardError: a value that JSON cannot represent, such as NaN or a NumPy number.
        """
        try:
            return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise CardError(f"model card {self.name}: {error}: expected text, finite numbers, lists, objects") from None

    @classmethod
    def from_json(cls, text: Union[str, bytes]) -> "ModelCard":
        """Read a card.

        Raises:
            CardError: not JSON, written by a newer Segstack, or a field missing, unknown or of the wrong type.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise CardError(f"model card is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise CardError(f"model card is a JSON {type(data).__name__}: expected an object")
        version = data.get("schema_version")
        if version != SCHEMA_VERSION:
            raise CardError(
                f"model card has schema_version {version!r}: this Segstack reads {SCHEMA_VERSION}; "
                "update the older of the two"
            )
        return _record(cls, data, "model card")


def _record(kind: Type[_Record], data: Any, where: str) -> _Record:
    """Build the dataclass ``kind`` from decoded JSON, strictly."""
    if not isinstance(data, Mapping):
        raise CardError(f"{where}: expected an object, found {type(data).__name__}")
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise CardError("{}: unknown field {}; known fields: {}".format(where, unknown[0], ", ".join(fields)))
    missing = [
        f.name
        for f in fields.values()
        if f.name not in data and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise CardError(f"{where}: field {missing[0]} is missing")
    types = typing.get_type_hints(kind)
    return kind(**{key: _value(types[key], value, f"{where}.{key}") for key, value in data.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    """Check ``value`` against the type annotation ``kind`` and return it as that type."""
    origin: Any = getattr(kind, "__origin__", None)
    args: Any = getattr(kind, "__args__", ())
    if kind is Any:
        return value
    if origin is Union:
        return None if value is None else _value(args[0], value, where)
    if dataclasses.is_dataclass(kind):
        return _record(typing.cast(type, kind), value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        if args[-1] is Ellipsis:
            args = (args[0],) * len(value)
        if len(value) != len(args):
            raise CardError(f"{where}: expected {len(args)} values, found {len(value)}")
        return tuple(_value(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, value)))
    if origin is dict and isinstance(value, dict):
        return {key: _value(args[1], v, f"{where}.{key}") for key, v in value.items()}
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if origin is None and isinstance(value, kind) and not isinstance(value, bool):
        return value
    expected = {tuple: "a list", dict: "an object"}.get(origin) or getattr(kind, "__name__", str(kind))
    raise CardError(f"{where}: expected {expected}, found {value!r}")
