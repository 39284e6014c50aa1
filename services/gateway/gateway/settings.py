"""The gateway's settings: one frozen object, read once from ``GATEWAY_*`` environment variables."""

import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.api.targets import LabelSetting, TrafficSplitSetting

# Separated by commas in the environment.
Names = tuple[str, ...]

_PREFIX = "GATEWAY_"


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one sentence that names it."""


class Settings(BaseModel):
    """Every setting, with units in the names: ``deadline_ms`` is set by ``GATEWAY_DEADLINE_MS``, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Loopback: without API keys no other machine may reach it unless that is set.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000

    # Who may use it: lines of `name:sha256hex[:requests per second]`, as `segstack gateway new-key` prints them.
    api_keys_file: Path | None = None
    # Whether other machines may use it without keys. With keys it changes nothing.
    allow_anonymous: bool = False
    # Names a request may be addressed to (Host). Unset: any; but only loopback's where loopback is served without keys,
    # since a web page could otherwise reach the gateway by the page's own name (DNS rebinding).
    allowed_hosts: Names = ()
    # For each key whose line sets no rate, and without keys for each client address. A batch counts once per image.
    # Unset: no limit.
    requests_per_s: Annotated[float | None, Field(gt=0)] = None
    # Pages of these origins (https://host[:port]) may call the gateway from a browser; none but its own by default.
    cors_origins: Names = ()
    # Addresses of reverse proxies whose X-Forwarded-For and -Proto are trusted.
    trusted_proxies: Names = ()
    # PEM files: HTTPS instead of HTTP. `segstack gateway cert` makes a pair for a home network.
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    # TensorFlow Serving's gRPC port. Several servers, or the addresses of a name with several, are used round-robin.
    serving_address: Names = ("localhost:8500",)
    # Which models there are, by name; or the file that serving polls, which lists them.
    models: Names = ()
    models_config: Path | None = None
    # Answers requests that name no model. Unset: the first of the models.
    default_model: str | None = None
    # The version that answers requests that name none: the one with this label, for instance `stable`, where the model
    # has the label. Otherwise, and when unset, the newest loaded, so that a published version is in use at once.
    default_label: LabelSetting | None = None
    # The default model's next version, or another model, on trial: `road:4=0.1` or `road@next=0.1` is a tenth. The
    # shadow segments that fraction of the images, too, invisibly; GET /models/road/agreement compares its masks.
    shadow: TrafficSplitSetting | None = None
    # The canary answers that fraction of the clients: always the same ones, by X-Session-Id, API key or address.
    canary: TrafficSplitSetting | None = None
    # A folder of <model>.json for models that do not describe themselves (gateway.serving_client.card_files).
    cards: Path | None = None

    # From the body's last byte to the reply, shared by every step. A cold model on two cores answers within 2 s, and
    # after 10 s clients have given up.
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] = 10_000
    # A full-size photo over a 5 Mbit/s uplink takes 20 s; a slower client would only occupy a place.
    body_timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 30_000
    # A request line and headers are one packet or two; a client that takes longer occupies a connection on purpose.
    header_timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 10_000
    # The same photo's overlay on its way back over such a link.
    reply_timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 30_000
    # From SIGTERM, when /readyz turns to 503, until new requests are refused: as long as a load balancer takes to
    # notice (its period and a second). Without a load balancer, 0.
    shutdown_delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    # Open at once, including idle ones; below the 1024 files that a process may usually open.
    max_connections: Annotated[int, Field(ge=1)] = 800

    # The largest JPEG of a 48-megapixel phone, with room.
    max_image_bytes: Annotated[int, Field(ge=1024)] = 25 * 2**20
    # 48-megapixel phones; decoded, 150 MB of RGB. A 17 KiB PNG can claim far more. Also the limit of all images
    # together that are in work at the same time.
    max_pixels: Annotated[int, Field(ge=1)] = 50_000_000

    # Decoding, inferring or encoding at once. Serving works on one image per core at a time; more would only mean more
    # decoded photos in memory.
    max_in_flight: Annotated[int, Field(ge=1)] = 4
    # Waiting beyond those, or still being received. At 100 ms an image the last one waits about a second.
    max_waiting: Annotated[int, Field(ge=0)] = 32
    # The bodies of all of them together, as sent; with the largest image in every place it would be 900 MB.
    max_held_bytes: Annotated[int, Field(ge=1024)] = 256 * 2**20
    # One batch: its images, and their bytes as sent.
    max_batch_images: Annotated[int, Field(ge=1, le=1000)] = 100
    max_batch_bytes: Annotated[int, Field(ge=1024)] = 100 * 2**20
    # Open at once, excluding unauthenticated streams. Each holds one frame that waits and one that is being received,
    # at worst 32 x 2 x 4 MiB; frames in work count towards max_in_flight.
    max_streams: Annotated[int, Field(ge=1)] = 32
    # One frame as sent: a JPEG of a 4K camera has 1 to 3 MB.
    max_frame_bytes: Annotated[int, Field(ge=1024)] = 4 * 2**20
    # One frame decoded: 4K.
    max_frame_pixels: Annotated[int, Field(ge=1)] = 3840 * 2160
    # Frames of all streams that are in serving at once: as many as it works on at the same time. One more would age in
    # its queue. Serving on a CPU uses all cores for one frame; each further server allows one more.
    max_frames_inferring: Annotated[int | None, Field(ge=1)] = None
    # A stream without a message for so long is closed, since it occupies one of max_streams.
    stream_idle_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 60_000
    # Threads that decode and encode: 5-10 ms of work a photo each, so more threads than cores would only contend.
    codec_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=lambda: min(4, os.cpu_count() or 1))

    # To standard error; auto: coloured text on a terminal, JSON elsewhere.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    # Spans for an OpenTelemetry collector, set up by OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_ variables.
    tracing: bool = False

    @property
    def frames_at_once(self) -> int:
        """``max_frames_inferring``, by default one for each server named."""
        return self.max_frames_inferring or len(self.serving_address)

    @field_validator("serving_address", "models", "allowed_hosts", "cors_origins", "trusted_proxies", mode="before")
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

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not re.fullmatch(r"https?://[^/*@]+", value):
                raise ValueError(
                    f"{value!r} is not an origin; expected https://host or https://host:port, without a path"
                )
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.max_held_bytes < self.max_image_bytes:
            raise ValueError(
                "GATEWAY_MAX_HELD_BYTES is less than GATEWAY_MAX_IMAGE_BYTES: the largest images would never fit"
            )
        if self.models and self.models_config:
            raise ValueError("GATEWAY_MODELS and GATEWAY_MODELS_CONFIG are both set; set only one")
        if self.models and self.default_model and self.default_model not in self.models:
            raise ValueError(f"GATEWAY_DEFAULT_MODEL is not one of GATEWAY_MODELS: {', '.join(self.models)}")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("GATEWAY_TLS_CERTIFICATE and GATEWAY_TLS_KEY go together; set both or neither")
        if self.tls_certificate and self.tls_key:
            try:
                # An empty password: otherwise OpenSSL prompts for the password of an encrypted key.
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.tls_certificate, self.tls_key, "")
            except OSError as error:
                raise ValueError(
                    f"GATEWAY_TLS_CERTIFICATE={self.tls_certificate} and GATEWAY_TLS_KEY={self.tls_key} cannot be "
                    f"used: {error}; expected a PEM certificate and its key, as `segstack gateway cert` makes them"
                ) from None
        if not self.api_keys_file and not self.allow_anonymous and not is_loopback(self.host):
            raise ValueError(
                f"GATEWAY_HOST={self.host} opens the gateway to everyone on the network; require keys with "
                "GATEWAY_API_KEYS_FILE, set GATEWAY_ALLOW_ANONYMOUS=1 if everyone may use it, or keep 127.0.0.1"
            )
        return self


def variables() -> list[str]:
    """The names of all environment variables that are read."""
    return [_PREFIX + name.upper() for name in Settings.model_fields]


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from environment variables; an empty variable counts as unset.

    Raises:
        SettingsError: a variable cannot be used or is misspelt; the message is one sentence that names it.
    """
    known = variables()
    # Other GATEWAY_… variables are ignored: Kubernetes, for instance, sets some for a service called gateway.
    for name in environment:
        if name.startswith(_PREFIX) and name not in known and (near := get_close_matches(name, known, 1, cutoff=0.85)):
            raise SettingsError(f"{name} is not a setting of the gateway; did you mean {near[0]}?")
    given = {name: environment[name] for name in known if environment.get(name)}
    try:
        return Settings.model_validate({name.removeprefix(_PREFIX).lower(): value for name, value in given.items()})
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingsError(message) from None
        raise SettingsError(f"{_PREFIX}{str(first['loc'][0]).upper()}={first['input']}: {message}") from None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
