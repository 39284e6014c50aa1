"""The profile ``monitoring``: the configuration of Prometheus and Grafana, and a real Prometheus over a real stack."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

pytestmark = pytest.mark.containers

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
ALERTS = MONITORING / "prometheus/alerts.yml"
DASHBOARD = ROOT / "services/gateway/grafana/dashboard.json"

METRIC = re.compile(r"(?<![\w:])(?:segstack_|process_|:tensorflow:|:segstack:)[\w:]+|\bup\b")
# Labels whose values show only once something has gone wrong.
FAULTS = re.compile(r'(?:, *)?(?:status|outcome)=~?"[^"]*"')
SELECTOR = re.compile(rf"(?:{METRIC.pattern})(?:\{{[^}}]*\}})?")


@pytest.fixture(scope="module")
def promtool(debian_binary: Callable[[str, str], Path]) -> Path:
    return debian_binary("promtool", "usr/bin/promtool")


@pytest.fixture(scope="module")
def services(resolve) -> dict[str, dict[str, Any]]:
    return resolve("docker-compose.yml")["services"]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def run(*command: object) -> None:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_promtool_accepts_the_rules(promtool: Path) -> None:
    run(promtool, "check", "rules", "--lint-fatal", ALERTS)


def test_alerts_fire_as_promtools_tests_expect(promtool: Path) -> None:
    run(promtool, "test", "rules", Path(__file__).with_name("alerts.test.yml"))


def test_every_alert_is_tested_and_has_a_remedy() -> None:
    tried = yaml.safe_load(Path(__file__).with_name("alerts.test.yml").read_text())["tests"]
    raised = {case["alertname"] for test in tried for case in test["alert_rule_test"] if case.get("exp_alerts")}
    assert raised == {alert["alert"] for alert in alerts()}
    for alert in alerts():
        assert set(alert["annotations"]) == {"summary", "description"}, alert["alert"]
        assert alert["labels"]["severity"] in ("critical", "warning"), alert["alert"]


def test_prometheus_has_its_files_and_a_volume(services) -> None:
    prometheus = services["prometheus"]
    assert "--config.file=/etc/prometheus/prometheus.yml" in prometheus["command"]
    assert "--storage.tsdb.path=/prometheus" in prometheus["command"]
    mounted = {volume["target"]: volume["source"] for volume in prometheus["volumes"]}
    assert mounted == {"/etc/prometheus": str(MONITORING / "prometheus"), "/prometheus": "prometheus-data"}
    assert [flag for flag in prometheus["command"] if "lifecycle" in flag or "admin-api" in flag] == []


def test_prometheus_targets_are_allowed_hosts_on_its_network(services) -> None:
    config = yaml.safe_load((MONITORING / "prometheus/prometheus.yml").read_text())
    targets = [static["targets"] for job in config["scrape_configs"] for static in job["static_configs"]]
    assert targets == [["gateway:8000"], ["gateway-tls:8000"], ["serving:8501"]]
    for name in ("gateway", "gateway-tls", "serving", "prometheus"):
        assert "inside" in services[name]["networks"]
    assert "gateway" in services["gateway"]["environment"]["GATEWAY_ALLOWED_HOSTS"].split(",")


def test_grafana_is_provisioned_with_the_dashboard(services) -> None:
    grafana = services["grafana"]
    mounted = {volume["target"]: Path(volume["source"]) for volume in grafana["volumes"]}
    (provider,) = yaml.safe_load((MONITORING / "grafana/dashboards/segstack.yml").read_text())["providers"]
    assert mounted[provider["options"]["path"]] == DASHBOARD.parent
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"/etc/dashboards/{DASHBOARD.name}"
    for kind in ("datasources", "dashboards"):
        assert mounted[f"/etc/grafana/provisioning/{kind}"] == MONITORING / "grafana" / kind
    (source,) = yaml.safe_load((MONITORING / "grafana/datasources/prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert source["isDefault"], "what the dashboard's variable begins with"


def test_grafana_is_read_only_without_the_password_file(resolve, root: Path) -> None:
    resolved = resolve("docker-compose.yml")
    environment = resolved["services"]["grafana"]["environment"]
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana-admin-password"
    # No default: without the file the container is not started, rather than with a password that everyone knows.
    assert resolved["secrets"]["grafana-admin-password"]["file"] == str(root / "secrets/grafana-admin-password")


class Prometheus:
    """A real Prometheus, queried over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: str) -> Any:
        reply = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=30, trust_env=False)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    def is_up(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def series(self, expression: str) -> list[dict[str, str]]:
        return [found["metric"] for found in self.get("query", query=expression)["result"]]

    def healthy_jobs(self) -> set[str]:
        return {series["job"] for series in self.series("up == 1")}


@pytest.fixture(scope="module")
def stack(lay_road, small_models_root: Path, tmp_path_factory, free_port, photo, wait_for) -> tuple[Any, int]:
    """Real serving and gateway with a shadow model, after a valid and an invalid image; and serving's metrics port."""
    models_root = tmp_path_factory.mktemp("monitored") / "models_repo"
    shutil.copytree(small_models_root, models_root)
    shutil.copytree(models_root / "small/1", models_root / "small/2")
    road = lay_road(models_root)
    metrics_port = free_port()
    road.start_serving(
        f"--rest_api_port={metrics_port}", f"--monitoring_config_file={ROOT / 'services/serving/monitoring.config'}"
    )
    road.start_gateway(GATEWAY_SHADOW="small:1=1", GATEWAY_ALLOWED_HOSTS="127.0.0.1")
    road.wait_until_ready()
    assert road.segment(photo.read_bytes()).status_code == 200
    assert road.segment(b"no image").status_code == 415
    wait_for(lambda: "agreement_ratio{" in road.http.get("/metrics").text, "a comparison with the shadow")
    return road, metrics_port


@pytest.fixture(scope="module")
def prometheus(
    stack, tls_gateway, promtool: Path, debian_binary, free_port, tmp_path_factory, wait_for
) -> Iterator[Prometheus]:
    """Prometheus with the stack's configuration; only addresses, paths and intervals are changed."""
    road, metrics_port = stack
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copy(ALERTS, folder)
    config = (MONITORING / "prometheus/prometheus.yml").read_text()
    for of_the_stack, here in (
        ("gateway:8000", road.url.removeprefix("http://")),
        ("gateway-tls:8000", tls_gateway.url.removeprefix("https://")),
        ("serving:8501", f"127.0.0.1:{metrics_port}"),
    ):
        assert f'"{of_the_stack}"' in config
        config = config.replace(f'"{of_the_stack}"', f'"{here}"')
    # The plain gateway needs no key and is given /dev/null, as by default; the other's is one of its keys.
    secret = "/run/secrets/gateway-metrics-key"
    assert config.count(secret) == 2
    (folder / "none").touch()
    config = config.replace(secret, str(folder / "none"), 1).replace(secret, str(tls_gateway.key_file))
    (folder / "prometheus.yml").write_text(config.replace("15s", "1s"))
    run(promtool, "check", "config", folder / "prometheus.yml")

    port = free_port()
    command = [
        debian_binary("prometheus", "usr/bin/prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, cwd=folder, stderr=log) as process:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        try:
            wait_for(lambda: prometheus.is_up() or process.poll() is not None, "Prometheus")
            assert process.poll() is None, (folder / "log").read_text()
            wait_for(lambda: prometheus.healthy_jobs() == {"gateway", "gateway-tls", "serving"}, "every target")
            yield prometheus
        finally:
            process.terminate()


def test_prometheus_finds_every_metric_and_label_of_the_alerts(prometheus: Prometheus) -> None:
    for alert in alerts():
        selectors = [match.group() for match in SELECTOR.finditer(alert["expr"])]
        assert selectors, alert["alert"]
        for selector in selectors:
            found = prometheus.series(FAULTS.sub("", selector))
            assert found, f"{alert['alert']}: nothing is {selector}"
            for label in re.findall(r'[{,] *(\w+)=~?"', selector):
                assert any(label in series for series in found), f"{alert['alert']}: no {label} in {selector}"


def test_prometheus_finds_every_metric_of_the_dashboard(prometheus: Prometheus) -> None:
    for expression in dashboard_expressions():
        for name in METRIC.findall(expression):
            assert prometheus.series(name), f"there is no {name}: {expression}"
        filled = expression.replace("$__rate_interval", "1m").replace("$model", ".*")
        prometheus.get("query", query=filled)


def test_prometheus_evaluates_every_alert_and_none_fires(prometheus: Prometheus, wait_for) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]

    wait_for(lambda: all(rule["health"] != "unknown" for rule in rules()), "a first evaluation")
    assert {rule["name"]: rule["health"] for rule in rules()} == {alert["alert"]: "ok" for alert in alerts()}
    assert [rule["name"] for rule in rules() if rule["state"] == "firing"] == []


def test_prometheus_own_health_check(prometheus: Prometheus, promtool: Path, services) -> None:
    command, tool, *arguments = services["prometheus"]["healthcheck"]["test"]
    assert (command, tool) == ("CMD", "promtool")
    run(promtool, *(argument.replace("http://127.0.0.1:9090", prometheus.url) for argument in arguments))
