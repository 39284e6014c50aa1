"""``models.config``: tensorflow.serving.ModelServerConfig in protobuf's text format, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from contract.serving_config import version_policy
from contract.serving_config.version_policy import All, Latest, Policy, Specific
from serving.errors import invalid_argument

_PLATFORM = "tensorflow"


class ModelConfigError(ValueError):
    """The text is not a ModelServerConfig; the message is that of protobuf's parser, with the place."""


@dataclass(frozen=True)
class ModelConfig:
    """One model to serve."""

    name: str
    base_path: str
    policy: Policy = version_policy.DEFAULT
    labels: Mapping[str, int] = field(default_factory=dict)


def parse(text: str) -> Any:
    """Parse ``text`` as a ``ModelServerConfig`` message.

    Raises:
        ModelConfigError: the text does not parse.
    """
    try:
        return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise ModelConfigError(f"Error parsing text-format tensorflow.serving.ModelServerConfig: {error}") from None


def single_model(name: str, base_path: str) -> Any:
    """The ``ModelServerConfig`` message of ``--model_name`` and ``--model_base_path``."""
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=_PLATFORM)
    return config


def models(message: Any) -> list[ModelConfig]:
    """The models that a ``ModelServerConfig`` lists.

    Raises:
        ServingError: INVALID_ARGUMENT for a name listed twice, a platform other than tensorflow, a relative base path.
    """
    listed: dict[str, ModelConfig] = {}
    for config in message.model_config_list.config:
        if config.name in listed:
            raise invalid_argument(f"Illegal to list model {config.name} multiple times in config list")
        _check_platform(config)
        if not PurePosixPath(config.base_path).is_absolute():
            raise invalid_argument(
                f"Expected model {config.name} to have an absolute path or URI; got base_path()={config.base_path}"
            )
        listed[config.name] = ModelConfig(
            config.name, config.base_path, _policy(config.model_version_policy), dict(config.version_labels)
        )
    return list(listed.values())


def _check_platform(config: Any) -> None:
    platform = config.model_platform
    if config.model_type == model_server_config_pb2.TENSORFLOW:
        platform = platform or _PLATFORM
    if not platform:
        raise invalid_argument(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform."
        )
    if platform != _PLATFORM:
        raise invalid_argument(
            f'Model {config.name} has model_platform "{platform}": only "{_PLATFORM}" is served here'
        )


def _policy(message: Any) -> Policy:
    choice = message.WhichOneof("policy_choice")
    if choice == "all":
        return All()
    if choice == "specific":
        return Specific(frozenset(message.specific.versions))
    return Latest(message.latest.num_versions or version_policy.DEFAULT.count)
