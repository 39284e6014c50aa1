"""The gateway's settings: one frozen object, read once from ``GATEWAY_*`` environment variables."""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one sentence for the person who set it."""


class Settings(BaseSettings):
    """What can be set, with units in the names.

    Field ``deadline_ms`` is set by ``GATEWAY_DEADLINE_MS``, and so on.
    """

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_ignore_empty=True, frozen=True, extra="forbid")

    # Loopback: there are no API keys yet, so nobody else may reach it unless that is asked for.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    allow_anonymous: bool = False

    # TensorFlow Serving's own gRPC port. Several, and every address of a name that has several, are taken in turn.
    serving_address: Annotated[tuple[str, ...], NoDecode] = ("localhost:8500",)
    # Which models there are, by name; or the file serving itself polls, which then says so.
    models: Annotated[tuple[str, ...], NoDecode] = ()
    models_config: Path | None = None
    # Answers when a request names no model; the first of the models when unset.
    default_model: str | None = None
    # A folder of <model>.json for models that do not describe themselves (gateway.card_files).
    cards: Path | None = None

    # From the body's last byte to the reply, shared by every step. A cold model on two cores answers within
    # 2 s, and nobody looks at a reply that took longer than 10.
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] = 10_000
    # A full-size photo over a 5 Mbit/s uplink takes 20 s; slower senders only hold a place.
    body_timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 30_000

    # The largest JPEG of a 48-megapixel phone, with room.
    max_image_bytes: Annotated[int, Field(ge=1024)] = 25 * 2**20
    # 48-megapixel phones; decoded, 150 MB of RGB. A 17 KiB PNG can claim far more.
    max_pixels: Annotated[int, Field(ge=1)] = 50_000_000

    # Decoding, inferring or encoding at once. Serving takes one image at a time per core anyway; more only
    # holds more decoded photos in memory.
    max_in_flight: Annotated[int, Field(ge=1)] = 4
    # Waiting beyond those, or still sending. At 100 ms an image the last one waits about a second.
    max_waiting: Annotated[int, Field(ge=0)] = 32
    # Threads that decode and encode: 5-10 ms of work a photo each, so more than the cores only contend.
    codec_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=lambda: min(4, os.cpu_count() or 1))

    @field_validator("serving_address", "models", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """``a,b`` to ``("a", "b")``: environment variables have no lists."""
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("serving_address")
    @classmethod
    def _check_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values or ("",):
            host, _, port = value.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError("expected host:port, for instance localhost:8500, or several separated by commas")
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.models and self.models_config:
            raise ValueError("GATEWAY_MODELS and GATEWAY_MODELS_CONFIG are both set; set the one that should decide")
        if self.models and self.default_model and self.default_model not in self.models:
            raise ValueError(f"GATEWAY_DEFAULT_MODEL is not one of GATEWAY_MODELS: {', '.join(self.models)}")
        if not self.allow_anonymous and not _is_loopback(self.host):
            raise ValueError(
                f"GATEWAY_HOST={self.host} lets other machines in, and anyone there could use the gateway; "
                "set GATEWAY_ALLOW_ANONYMOUS=1 if that is meant, or keep 127.0.0.1"
            )
        return self


def variables() -> list[str]:
    """The environment variables that are read."""
    return [f"GATEWAY_{name.upper()}" for name in Settings.model_fields]


def load_settings() -> Settings:
    """Settings from the environment.

    Raises:
        SettingsError: a value cannot be used; the message is one sentence naming the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingsError(message) from None
        raise SettingsError(f"GATEWAY_{str(first['loc'][0]).upper()}={first['input']}: {message}") from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
