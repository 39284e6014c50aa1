"""A card file describes a foreign model (:mod:`.foreign`) as far as its graph does not.

It is ``<model>.json`` in the folder GATEWAY_CARDS. Only the field ``classes`` is always needed::

    {
      "classes": ["background", {"name": "person", "color": [220, 20, 60]}],
      "output": "logits",
      "preprocessing": {"scale": 0.00784314, "mean": [1, 1, 1]},
      "input_height": 480,
      "input_width": 640
    }
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import contract
from gateway.errors import BadServingReply

_Triple = tuple[float, float, float]
_Byte = Annotated[int, Field(ge=0, le=255)]
_Name = Annotated[str, Field(pattern=r"\S")]


class CardPreprocessing(BaseModel):
    """``(pixel * scale - mean) / std``, per RGB channel of 0 to 255: what a float graph expects of its caller."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float
    mean: _Triple = (0, 0, 0)
    std: _Triple = (1, 1, 1)


class CardClass(BaseModel):
    """A class with its colour, red, green, blue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    color: tuple[_Byte, _Byte, _Byte]


class CardFile(BaseModel):
    """The fields of a card file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # In the order of the output's channels; a one-channel output is the probability of the second of two.
    classes: Annotated[tuple[_Name | CardClass, ...], Field(min_length=2, max_length=contract.IGNORE_ID)]
    # Needed for min_confidence, and for a one-channel output's threshold: 0 or 0.5.
    output: Literal["logits", "probabilities"] = "logits"
    # The name of the output, where the signature has several.
    output_tensor: str | None = None
    preprocessing: CardPreprocessing | None = None
    input_height: Annotated[int | None, Field(ge=1)] = None
    input_width: Annotated[int | None, Field(ge=1)] = None

    @classmethod
    def read(cls, folder: Path | None, model: str) -> Self:
        """The card file of ``model``.

        Raises:
            BadServingReply: there is none, or it cannot be used.
        """
        if folder is None or not (path := folder / f"{model}.json").is_file():
            place = "a folder named by GATEWAY_CARDS" if folder is None else folder
            raise BadServingReply(
                f"model {model!r} has no describe signature, so its classes are unknown; write "
                f'{model}.json in {place}: {{"classes": ["background", …]}}',
                model=model,
            )
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "JSON"
            raise BadServingReply(f"{path.name} in GATEWAY_CARDS: {where}: {first['msg']}", model=model) from None

    def model_card(self, model: str, input_height: int, input_width: int) -> contract.ModelCard:
        """As a model card; classes without a colour get Pascal VOC's."""
        named = (
            c if isinstance(c, CardClass) else CardClass(name=c, color=_voc_color(i))
            for i, c in enumerate(self.classes)
        )
        return contract.ModelCard(
            name=model,
            architecture="foreign",
            input_height=input_height,
            input_width=input_width,
            classes=tuple(contract.ClassInfo(i, c.name, c.color) for i, c in enumerate(named)),
        )


def _voc_color(class_id: int) -> tuple[int, int, int]:
    """Pascal VOC's colour map: the id's bits go to red, green and blue alternately, the lowest to the highest bit."""
    red, green, blue = (
        sum((class_id >> 3 * digit + channel & 1) << 7 - digit for digit in range(8)) for channel in range(3)
    )
    return red, green, blue
