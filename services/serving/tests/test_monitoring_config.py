"""--monitoring_config_file: where the metrics are, if anywhere."""

from pathlib import Path

import pytest

from serving.monitoring_config import DEFAULT_PATH, MonitoringConfigError, prometheus_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", None),
        ("prometheus_config { }", None),
        ('prometheus_config { path: "/metrics" }', None),
        ("prometheus_config { enable: true }", DEFAULT_PATH),
        ('prometheus_config: { enable: true, path: "/metrics" }', "/metrics"),
    ],
)
def test_path(text, path):
    assert prometheus_path(text) == path


def test_the_images_config_has_the_usual_path():
    text = Path(__file__).parents[1].joinpath("monitoring.config").read_text()
    assert prometheus_path(text) == "/monitoring/prometheus/metrics"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prometheus_config {", "Error parsing text-format tensorflow.serving.MonitoringConfig: 1:"),
        ("prometheus { enable: true }", "Error parsing text-format tensorflow.serving.MonitoringConfig: 1:1 : "),
        (
            'prometheus_config { enable: true path: "metrics" }',
            "prometheus_config has the path 'metrics': expected one",
        ),
    ],
    ids=["cut short", "unknown field", "relative path"],
)
def test_refusals(text, message):
    with pytest.raises(MonitoringConfigError) as error:
        prometheus_path(text)
    assert str(error.value).startswith(message)
