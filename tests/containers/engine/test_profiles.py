"""The profiles ``tls`` and ``monitoring`` on a real engine. Prometheus is Debian's, in an image laid out as upstream's.

Grafana is not run: no distribution packages it.
"""

import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

PROMETHEUS_IMAGE = "segstack-test/prometheus:2.53.3"
# As in prom/prometheus: the folder belongs to nobody and is writable for its group.
DOCKERFILE = """
FROM {base}
USER 0
COPY prometheus promtool /bin/
RUN mkdir /prometheus && chown 65534:65534 /prometheus && chmod g+w /prometheus
USER 65534
VOLUME /prometheus
ENTRYPOINT ["/bin/prometheus"]
"""
SERVICES = ("serving", "gateway", "gateway-tls", "prometheus")


@pytest.fixture(scope="module")
def guarded(stack, new_stack, images, debian_binary, free_port, tmp_path_factory):
    """Everything up and healthy, started as docs/operating.md says; requests from outside need a key."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    for name in ("prometheus", "promtool"):
        shutil.copy(debian_binary(name, f"usr/bin/{name}"), folder)
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=images["gateway"]))
    stack.run("docker", "build", "--quiet", "--tag", PROMETHEUS_IMAGE, folder)

    secrets = stack.checkout / "secrets"
    secrets.mkdir(mode=0o700)
    script = """
        umask 077
        python -m gateway cert --output secrets localhost 127.0.0.1
        python -m gateway new-key prometheus > secrets/key 2> secrets/line
        tail -1 secrets/line > secrets/api-keys
    """
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    subprocess.run(["bash", "-ec", script], cwd=stack.checkout, check=True, env={"PATH": path})
    for made in (secrets, *secrets.iterdir()):
        shutil.chown(made, stack.checkout.stat().st_uid, stack.checkout.stat().st_gid)

    guarded = new_stack(
        GATEWAY_API_KEYS_FILE="secrets/api-keys",
        GATEWAY_METRICS_KEY_FILE="secrets/key",
        GATEWAY_TLS_CERTIFICATE="secrets/gateway.pem",
        GATEWAY_TLS_KEY="secrets/gateway.key",
        GATEWAY_TLS_PORT=str(free_port()),
        PROMETHEUS_IMAGE=PROMETHEUS_IMAGE,
        PROMETHEUS_PORT=str(free_port()),
    )
    guarded.compose("--profile", "tls", "--profile", "monitoring", "up", "--detach", "--wait", *SERVICES)
    return guarded


@pytest.fixture(scope="module")
def key(guarded) -> dict[str, str]:
    return {"X-API-Key": (guarded.checkout / "secrets/key").read_text().strip()}


def published(stack, service: str) -> str:
    """The service's published address on this machine, host:port."""
    return stack.compose("port", service, {"prometheus": 9090, "gateway-tls": 8000}[service]).split()[-1]


@pytest.mark.parametrize("service", SERVICES)
def test_container_is_healthy_and_has_few_privileges(guarded, service: str) -> None:
    container = guarded.inspect(service)
    assert container["State"]["Health"]["Status"] == "healthy"
    assert container["Config"]["User"].split(":")[0] == str(guarded.checkout.stat().st_uid)
    host = container["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
    assert host["Memory"] > 0
    assert host["PidsLimit"] > 0
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}


def test_https_requires_a_key_and_uses_the_certificate_of_make_cert(guarded, key) -> None:
    trusted = ssl.create_default_context(cafile=guarded.checkout / "secrets/ca.pem")
    url = f"https://{published(guarded, 'gateway-tls')}"
    with httpx.Client(base_url=url, verify=trusted, trust_env=False, timeout=30) as http:
        assert http.get("/models").status_code == 401
        assert http.get("/models", headers=key).status_code == 200
        image = sorted((guarded.checkout / "data/drawn/images").iterdir())[0].read_bytes()
        assert http.post("/segment", content=image, headers=key).status_code == 200


def test_prometheus_scrapes_all_three_targets(guarded, wait_for) -> None:
    url = f"http://{published(guarded, 'prometheus')}"

    def up() -> dict[str, str]:
        reply = httpx.get(f"{url}/api/v1/query", params={"query": "up"}, trust_env=False, timeout=30)
        return {found["metric"]["job"]: found["value"][1] for found in reply.json()["data"]["result"]}

    wait_for(lambda: up() == {"gateway": "1", "gateway-tls": "1", "serving": "1"}, "every target")


def test_prometheus_data_is_in_its_volume(guarded) -> None:
    owner = str(guarded.checkout.stat().st_uid)
    assert guarded.inside("prometheus", "stat -c %u /prometheus/wal") == owner


def test_serving_is_reachable_only_on_the_internal_network(guarded) -> None:
    connect = "timeout 5 bash -c 'exec 3<>/dev/tcp/serving/8501' 2>/dev/null && echo met || echo not met"
    assert guarded.inside("gateway", connect) == "met"
    ports = guarded.inspect("serving")["NetworkSettings"]["Ports"]
    assert {port for port, bindings in ports.items() if bindings} == {"8500/tcp"}
    for network, expected in (("inside", "met"), ("gateway-port", "not met")):
        command = ["docker", "run", "--rm", "--network", f"{guarded.project}_{network}", "--entrypoint", "bash"]
        output = guarded.run(*command, guarded.inspect("gateway")["Config"]["Image"], "-c", connect)
        assert output.strip() == expected, network


def test_serving_cannot_be_reached_from_its_own_port_network_by_neighbours(guarded) -> None:
    """The network that publishes its port has no other member."""
    network = guarded.run(
        "docker", "network", "inspect", "--format", "{{len .Containers}}", f"{guarded.project}_serving-port"
    )
    assert network.strip() == "1"
