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
    """A setting that cannot be used; the message is one sentence for the person who set it."""


class Settings(BaseModel):
    """What can be set, with units in the names.

    Field ``deadline_ms`` is set by ``GATEWAY_DEADLINE_MS``, and so on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Loopback: without API keys nobody else may reach it unless that is asked for.
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000

    # Who may ask: lines of `name:sha256hex[:requests per second]`, as `python -m gateway new-key` prints them.
    api_keys_file: Path | None = None
    # Without keys: whether other machines may ask all the same. With keys it changes nothing.
    allow_anonymous: bool = False
    # Names a request may be addressed to (Host). Unset: any, but loopback's alone where loopback is served without
    # keys; there a web page could otherwise reach the gateway by a name of its own (DNS rebinding).
    allowed_hosts: Names = ()
    # For each key whose line names no rate, and without keys for each client address. A batch counts as many as it has
    # images. Unset: no limit.
    requests_per_s: Annotated[float | None, Field(gt=0)] = None
    # Pages of these origins (https://host[:port]) may call the gateway from a browser; none but its own by default.
    cors_origins: Names = ()
    # Addresses of reverse proxies whose X-Forwarded-For and -Proto are believed.
    trusted_proxies: Names = ()
    # PEM files: HTTPS instead of HTTP. `make cert` makes a pair for a home network.
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    # TensorFlow Serving's own gRPC port. Several, and every address of a name that has several, are taken in turn.
    serving_address: Names = ("localhost:8500",)
    # Which models there are, by name; or the file serving itself polls, which then says so.
    models: Names = ()
    models_config: Path | None = None
    # Answers when a request names no model; the first of the models when unset.
    default_model: str | None = None
    # Answers when a request names no version: the one with this label, `stable` for instance, of whichever model has
    # it. Of other models, and when unset, the newest loaded does, so that a version published is everyone's at once.
    default_label: LabelSetting | None = None
    # The default model's next version, or another model, on trial: `road:4=0.1` or `road@next=0.1` is a tenth. The
    # shadow is given that share of the images as well, unseen; GET /models/road/agreement says how its masks differ.
    shadow: TrafficSplitSetting | None = None
    # The canary answers that share of the callers: always the same, by X-Session-Id, API key or address.
    canary: TrafficSplitSetting | None = None
    # A folder of <model>.json for models that do not describe themselves (gateway.serving_client.card_files).
    cards: Path | None = None

    # From the body's last byte to the reply, shared by every step. A cold model on two cores answers within
    # 2 s, and nobody looks at a reply that took longer than 10.
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] = 10_000
    # A full-size photo over a 5 Mbit/s uplink takes 20 s; slower senders only hold a place.
    body_timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 30_000
    # A request line and headers are one packet or two; whoever needs longer keeps a connection busy on purpose.
    header_timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 10_000
    # The same photo's overlay on its way back over such a link.
    reply_timeout_ms: Annotated[int, Field(ge=1, le=600_000)] = 30_000
    # From SIGTERM, when /readyz says no, until no request is taken on any more: as long as a load balancer takes to
    # look (its period and a second). Without one, none.
    shutdown_delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    # Open at once, idle ones included; below the 1024 files that a process is usually allowed.
    max_connections: Annotated[int, Field(ge=1)] = 800

    # The largest JPEG of a 48-megapixel phone, with room.
    max_image_bytes: Annotated[int, Field(ge=1024)] = 25 * 2**20
    # 48-megapixel phones; decoded, 150 MB of RGB. A 17 KiB PNG can claim far more. Images being worked on at the same
    # time have no more than this together.
    max_pixels: Annotated[int, Field(ge=1)] = 50_000_000

    # Decoding, inferring or encoding at once. Serving takes one image at a time per core anyway; more only
    # holds more decoded photos in memory.
    max_in_flight: Annotated[int, Field(ge=1)] = 4
    # Waiting beyond those, or still sending. At 100 ms an image the last one waits about a second.
    max_waiting: Annotated[int, Field(ge=0)] = 32
    # Bodies of all of them together, as sent; as many of the largest as there are places would be 900 MB.
    max_held_bytes: Annotated[int, Field(ge=1024)] = 256 * 2**20
    # One batch: its images, and their bytes as sent.
    max_batch_images: Annotated[int, Field(ge=1, le=1000)] = 100
    max_batch_bytes: Annotated[int, Field(ge=1024)] = 100 * 2**20
    # Open at once; whoever still owes a key is not among them. Each holds one frame that waits and one that is being
    # received, 32 times 2 times 4 MiB at worst; those being worked on are in max_in_flight.
    max_streams: Annotated[int, Field(ge=1)] = 32
    # One frame as sent: a JPEG of a 4K camera has 1 to 3 MB.
    max_frame_bytes: Annotated[int, Field(ge=1024)] = 4 * 2**20
    # One frame decoded: 4K.
    max_frame_pixels: Annotated[int, Field(ge=1)] = 3840 * 2160
    # Frames of all streams that serving is given at once: as many as it works on at the same time. One more would
    # wait there and grow old. Serving on a CPU takes all its cores for one; each further server is one more.
    max_frames_inferring: Annotated[int | None, Field(ge=1)] = None
    # Without a frame or a word for so long a stream is closed: it is one of max_streams.
    stream_idle_timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 60_000
    # Threads that decode and encode: 5-10 ms of work a photo each, so more than the cores only contend.
    codec_threads: Annotated[int, Field(ge=1, le=64)] = Field(default_factory=lambda: min(4, os.cpu_count() or 1))

    # To standard error: lines for people on a terminal, JSON elsewhere, or one of them always.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"
    # Spans for an OpenTelemetry collector, which OTEL_EXPORTER_OTLP_ENDPOINT and its kin describe.
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
                raise ValueError(f"{value!r} is no origin; expected https://host or https://host:port, without a path")
        return values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.max_held_bytes < self.max_image_bytes:
            raise ValueError("GATEWAY_MAX_HELD_BYTES is less than GATEWAY_MAX_IMAGE_BYTES: no such image could come in")
        if self.models and self.models_config:
            raise ValueError("GATEWAY_MODELS and GATEWAY_MODELS_CONFIG are both set; set the one that should decide")
        if self.models and self.default_model and self.default_model not in self.models:
            raise ValueError(f"GATEWAY_DEFAULT_MODEL is not one of GATEWAY_MODELS: {', '.join(self.models)}")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("GATEWAY_TLS_CERTIFICATE and GATEWAY_TLS_KEY go together; set both or neither")
        if self.tls_certificate and self.tls_key:
            try:
                # An empty password, or a key that has one would be asked for on the terminal.
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.tls_certificate, self.tls_key, "")
            except OSError as error:
                raise ValueError(
                    f"GATEWAY_TLS_CERTIFICATE={self.tls_certificate} and GATEWAY_TLS_KEY={self.tls_key} cannot be "
                    f"used: {error}; expected PEM files that belong together, as `make cert` makes them"
                ) from None
        if not self.api_keys_file and not self.allow_anonymous and not is_loopback(self.host):
            raise ValueError(
                f"GATEWAY_HOST={self.host} lets other machines in, and anyone there could use the gateway; "
                "give out keys with GATEWAY_API_KEYS_FILE, set GATEWAY_ALLOW_ANONYMOUS=1 if everyone is meant, "
                "or keep 127.0.0.1"
            )
        return self


def variables() -> list[str]:
    """The environment variables that are read."""
    return [_PREFIX + name.upper() for name in Settings.model_fields]


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from environment variables; an empty one counts as not set.

    Raises:
        SettingsError: a variable cannot be used or is misspelt; the message is one sentence naming it.
    """
    known = variables()
    # Other GATEWAY_… variables are left alone: Kubernetes, for one, sets some for a service of that name.
    for name in environment:
        if name.startswith(_PREFIX) and name not in known and (near := get_close_matches(name, known, 1, cutoff=0.85)):
            raise SettingsError(f"{name} is no setting of the gateway; did you mean {near[0]}?")
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
