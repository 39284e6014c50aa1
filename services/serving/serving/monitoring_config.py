"""``--monitoring_config_file``: tensorflow.serving.MonitoringConfig in protobuf's text format."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

DEFAULT_PATH = "/monitoring/prometheus/metrics"

_BOOL, _STRING, _MESSAGE = (
    getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{t}") for t in ("BOOL", "STRING", "MESSAGE")
)


class MonitoringConfigError(ValueError):
    """The text is not a MonitoringConfig, or its path cannot be that of a URL."""


def prometheus_path(text: str) -> str | None:
    """The path of the metrics on the REST port; None if they are not enabled.

    Raises:
        MonitoringConfigError: the text does not parse (the message says where), or its path does not begin with /.
    """
    try:
        config = text_format.Parse(text, _message_class()()).prometheus_config
    except text_format.ParseError as error:
        raise MonitoringConfigError(f"Error parsing text-format tensorflow.serving.MonitoringConfig: {error}") from None
    path = str(config.path or DEFAULT_PATH)
    if not path.startswith("/"):
        raise MonitoringConfigError(f"prometheus_config has the path {path!r}: expected one that begins with /")
    return path if config.enable else None


def _message_class() -> Any:
    """``config/monitoring_config.proto`` of TensorFlow Serving 2.6.2, which tensorflow-serving-api does not include."""
    file = descriptor_pb2.FileDescriptorProto(
        name="monitoring_config.proto", package="tensorflow.serving", syntax="proto3"
    )
    prometheus = file.message_type.add(name="PrometheusConfig")
    prometheus.field.add(name="enable", number=1, type=_BOOL)
    prometheus.field.add(name="path", number=2, type=_STRING)
    monitoring = file.message_type.add(name="MonitoringConfig")
    monitoring.field.add(
        name="prometheus_config", number=1, type=_MESSAGE, type_name=".tensorflow.serving.PrometheusConfig"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.MonitoringConfig"))
