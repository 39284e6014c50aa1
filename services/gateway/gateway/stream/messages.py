"""The text messages of a stream, from the client and to it. PROTOCOL.md has the tables."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from gateway.api.parameters import SegmentParameters, Size, TakesForm
from gateway.api.schemas import ClassSummary, ErrorBody
from gateway.errors import InvalidParameter
from gateway.imaging.palette import is_background
from gateway.serving_client.replies import ServedModel

# A list of all class names of a large model takes a few KiB.
MAX_TEXT_BYTES = 64 * 1024


class Configure(TakesForm):
    """``{"type": "configure", …}``: replaces the whole configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["configure"]
    model: Annotated[str | None, Field(min_length=1)] = None
    version: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    label: Annotated[str | None, Field(min_length=1)] = None
    form: Literal["mask", "overlay"] = "mask"
    size: Size | None = None
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    classes: str | None = None
    min_confidence: Annotated[float | None, Field(ge=0, le=1)] = None
    api_key: Annotated[str | None, Field(repr=False)] = None

    @field_validator("classes", mode="before")
    @classmethod
    def _join(cls, value: object) -> object:
        """Accept a list of names and ids as well as a string of them."""
        return ",".join(map(str, value)) if isinstance(value, list) else value

    def parameters(self) -> SegmentParameters:
        """The same as parameters of ``POST /segment``; ``size`` is ``model`` by default for a mask.

        Raises:
            InvalidParameter: two of them contradict each other.
        """
        given = self.model_dump(exclude_unset=True, exclude_none=True, exclude={"type", "api_key"})
        parameters = SegmentParameters(**{"size": "model" if self.form == "mask" else "original"} | given)
        parameters.check()
        return parameters


class End(BaseModel):
    """``{"type": "end"}``: answer the waiting frame, send the summary, and close."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["end"]


class Configured(BaseModel):
    """Which model makes the replies that follow."""

    type: Literal["configured"] = "configured"
    model: str
    version: int
    classes: list[ClassSummary]
    ignore_id: int
    width: int
    height: int
    form: Literal["mask", "overlay"]
    # The old name of form, for clients that read it.
    output: Literal["mask", "overlay"]
    size: Size

    @classmethod
    def by(cls, served: ServedModel, parameters: SegmentParameters) -> "Configured":
        """What a client needs to read the replies of ``served``."""
        card = served.card
        assert parameters.form in ("mask", "overlay")
        return cls(
            model=served.name,
            version=served.version,
            classes=[
                ClassSummary(id=c.id, name=c.name, color=c.color, background=is_background(c)) for c in card.classes
            ],
            ignore_id=card.ignore_id,
            width=card.input_width,
            height=card.input_height,
            form=parameters.form,
            output=parameters.form,
            size=parameters.size,
        )


class ControlError(BaseModel):
    """A text message that could not be followed; the configuration is unchanged."""

    type: Literal["error"] = "error"
    error: ErrorBody


class Summary(BaseModel):
    """received = answered + failed + dropped."""

    type: Literal["summary"] = "summary"
    received: int = 0
    answered: int = 0
    failed: int = 0
    dropped: int = 0


_messages: TypeAdapter[Configure | End] = TypeAdapter(Annotated[Configure | End, Field(discriminator="type")])


def read(text: str) -> Configure | End:
    """A client's text message.

    Raises:
        InvalidParameter: it is not one of the two messages.
    """
    try:
        return _messages.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
    # The first part of the location is the message's type.
    where = ".".join(str(part) for part in problem["loc"][1:])
    if not where:
        raise InvalidParameter(
            f'the message is not valid: {problem["msg"]}; send {{"type": "configure", …}} or {{"type": "end"}}'
        ) from None
    takes = [name for name in Configure.model_fields if name != "type"]
    raise InvalidParameter(f"{where}: {problem['msg']}", parameter=where, available=takes) from None
