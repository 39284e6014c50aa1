"""tensorflow_model_server's command line: its flag names and defaults, plus those marked as ours.

A flag is ``--name=value`` or ``--name value``; a boolean is ``--name``, ``--name=true`` or ``--name=false``.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any


class FlagError(ValueError):
    """A flag's value is invalid; the message names the flag and the values it accepts."""


def _flag(default: Any, usage: str) -> Any:
    return field(default=default, metadata={"usage": usage})


@dataclass(frozen=True)
class Flags:
    """The values of the flags."""

    port: int = _flag(8500, "TCP port of the gRPC API; 0 takes a free one and prints it")
    host: str = _flag("127.0.0.1", "address to listen on; 0.0.0.0 opens the server to the network (ours)")
    model_config_file: str = _flag("", "ModelServerConfig in text format: which models to serve")
    model_config_file_poll_wait_seconds: int = _flag(0, "seconds between reads of model_config_file; 0 reads it once")
    models_root: str = _flag("", "folder that /models in base paths refers to (ours)")
    model_name: str = _flag("default", "name of the single model, without model_config_file")
    model_base_path: str = _flag("", "folder of the single model's versions, without model_config_file")
    file_system_poll_wait_seconds: int = _flag(1, "seconds between checks for new versions; 0 checks once")
    max_num_load_retries: int = _flag(5, "further attempts after a version's first failed load")
    load_retry_interval_micros: int = _flag(60_000_000, "microseconds between two attempts")
    enable_model_warmup: bool = _flag(True, "run assets.extra/tf_serving_warmup_requests before serving a version")
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "let a new label point at a version that is not loaded yet"
    )
    grpc_max_threads: int = _flag(4 * (os.cpu_count() or 1), "requests processed at the same time")
    tensorflow_intra_op_parallelism: int = _flag(0, "threads within one operation; 0 leaves it to TensorFlow")
    tensorflow_inter_op_parallelism: int = _flag(0, "operations run at the same time; 0 leaves it to TensorFlow")
    engine: str = _flag("tensorflow", "the engine that runs the graphs: tensorflow or openvino (ours)")
    precision: str = _flag(
        "f32", "of openvino: f32, bf16, or auto: bf16 if the CPU supports it and its masks agree (ours)"
    )
    engine_min_agreement: float = _flag(
        0.0, "fraction of pixels on which openvino must agree with TensorFlow; 0: by precision (ours)"
    )
    num_load_threads: int = _flag(0, "versions loaded at the same time, over all models; 0 sets no limit")
    num_unload_threads: int = _flag(0, "versions unloaded at the same time, over all models; 0 sets no limit")
    grpc_socket_path: str = _flag("", "unix socket of the gRPC API, in addition to the port")
    grpc_channel_arguments: str = _flag("", "arguments of the gRPC server, for instance a=1,b=two")
    ssl_config_file: str = _flag("", "not supported: TLS is not served here")
    rest_api_port: int = _flag(0, "TCP port of model status and metrics over HTTP; 0: none")
    monitoring_config_file: str = _flag("", "MonitoringConfig in text format: metrics for Prometheus on rest_api_port")
    version: bool = _flag(False, "print the version and exit")
    wait_for_config: bool = _flag(False, "wait for a model_config_file that does not exist yet (ours)")


@dataclass(frozen=True)
class CommandLine:
    """The flags, and the arguments that are not flags."""

    flags: Flags
    unknown: tuple[str, ...]


def parse(arguments: Sequence[str]) -> CommandLine:
    """Read the command line. Unknown arguments are returned, not refused, as in tensorflow_model_server.

    Raises:
        FlagError: a known flag has a value of the wrong type, or no value.
    """
    known = {flag.name: flag for flag in fields(Flags)}
    values: dict[str, Any] = {}
    unknown = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, text = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name not in known:
            unknown.append(argument)
            if argument.startswith("--") and not equals and rest and not rest[0].startswith("--"):
                unknown.append(rest.pop(0))
            continue
        kind = known[name].type
        if not equals:
            if kind is bool and (not rest or rest[0].lower() not in _BOOLEANS):
                text = "true"
            elif not rest:
                raise FlagError(f"--{name} has no value: expected --{name}={_EXPECTED[kind]}")
            else:
                text = rest.pop(0)
        values[name] = _value(name, kind, text)
    return CommandLine(Flags(**values), tuple(unknown))


def usage(prog: str) -> str:
    """Every flag with its type, default and meaning."""
    lines = [f"usage: {prog}", "Flags:"]
    for flag in fields(Flags):
        default = str(flag.default).lower() if flag.type is bool else repr(flag.default)
        lines.append(f"\t--{flag.name}={default}\t{flag.type.__name__}\t{flag.metadata['usage']}")  # type: ignore[union-attr]
    return "\n".join(lines)


def check(flags: Flags) -> None:
    """Refuse invalid flags before anything is loaded.

    Raises:
        FlagError: TLS is requested, which is not supported, or the channel arguments are invalid.
    """
    if flags.ssl_config_file:
        raise FlagError(
            f"--ssl_config_file={flags.ssl_config_file}: TLS is not supported, and with this flag nothing is served "
            "unencrypted. Leave the flag out and put a TLS proxy in front, or use TensorFlow Serving"
        )
    channel_arguments(flags.grpc_channel_arguments)


def channel_arguments(text: str) -> dict[str, int | str]:
    """``a=1,b=two`` as gRPC expects it: values that are 32-bit integers as integers, others as text.

    Raises:
        FlagError: a part without a name or without a value.
    """
    arguments: dict[str, int | str] = {}
    for part in text.split(",") if text else []:
        name, _, value = part.partition("=")
        if not name or not value:
            raise FlagError(f"--grpc_channel_arguments has {part!r}: expected <name>=<value>, separated by commas")
        arguments[name] = int(value) if _INTEGER.fullmatch(value) and int(value) in _INT32 else value
    return arguments


def local_path(base_path: str, models_root: str) -> Path:
    """``base_path`` on this machine: under ``models_root`` if it is under /models."""
    if models_root and Path(base_path).is_relative_to("/models"):
        return Path(models_root).resolve() / Path(base_path).relative_to("/models")
    return Path(base_path)


_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_INT32 = range(-(2**31), 2**31)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_EXPECTED: dict[Any, str] = {bool: "true|false", int: "<integer>", float: "<number>", str: "<text>"}


def _value(name: str, kind: Any, text: str) -> Any:
    try:
        return _BOOLEANS[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise FlagError(f"--{name} is {text!r}: expected --{name}={_EXPECTED[kind]}") from None
