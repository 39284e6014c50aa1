"""docs/operating.md agrees with the gateway, the embedded server and the alert rules."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from starlette.testclient import TestClient

from gateway import errors
from gateway.app import create_app
from gateway.flow.timings import Stage
from gateway.settings import Settings
from serving import metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operating.md").read_text()


def section(heading: str) -> str:
    """The text between ``heading`` and the next heading."""
    return re.split(r"^#+ ", PAGE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def first_column(heading: str) -> list[str]:
    cells = re.findall(r"^\| (`.*?) \|", section(heading), re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def families(exposition: str) -> list[str]:
    """Metric families of a Prometheus exposition, without ``_created`` times."""
    return [name for name in re.findall(r"^# TYPE (\S+)", exposition, re.MULTILINE) if not name.endswith("_created")]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(create_app(Settings()), base_url="http://localhost") as client:
        yield client


def test_page_lists_exactly_the_gateways_metrics(client: TestClient) -> None:
    assert sorted(first_column("The gateway's metrics")) == sorted(families(client.get("/metrics").text))


def test_page_lists_exactly_the_embedded_servers_metrics() -> None:
    assert sorted(first_column("Serving's metrics")) == sorted(families(metrics.page({})))


def test_page_lists_every_field_of_a_requests_log_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        client.post("/segment", content=b"no image")
    [record] = [record for record in caplog.records if record.getMessage() == "request"]
    logged = set(vars(record)) - set(vars(logging.makeLogRecord({}))) - {"message"}  # pytest's own
    assert {"method", "route", "status", "ms", "client", "error"} <= logged
    assert logged <= set(first_column("The log"))


def test_explained_error_codes_exist() -> None:
    explained = set(re.findall(r"`([a-z_]+)`:", section("What to do when")))
    assert {"no_model", "overloaded"} <= explained
    codes = {kind.code for kind in errors.GatewayError.__subclasses__()}
    assert explained <= codes | set(get_args(Stage)), "neither an error code nor a stage of Server-Timing"


def test_page_has_a_remedy_for_every_alert() -> None:
    alarms = re.findall(
        r"^ *- alert: (\w+)", (ROOT / "deploy/monitoring/prometheus/alerts.yml").read_text(), re.MULTILINE
    )
    documented = set(re.findall(r"`((?:[A-Z][a-z]+){2,})`", section("What to do when")))
    assert documented == set(alarms)
