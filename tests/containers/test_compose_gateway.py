"""The gateway in containers: its settings, API keys, and HTTPS with the profile ``tls``."""

import json
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from gateway.access.keys import new_key
from gateway.app import create_app
from gateway.settings import Settings, load_settings, variables

pytestmark = pytest.mark.containers

GPU, CPU, EMBEDDED = "docker-compose.yml", "docker-compose.cpu.yml", "docker-compose.embedded.yml"
GATEWAYS = ("gateway", "gateway-tls")
# What the stack decides; the rest is the operator's.
FIXED = {
    "GATEWAY_HOST",
    "GATEWAY_PORT",
    "GATEWAY_ALLOW_ANONYMOUS",
    "GATEWAY_ALLOWED_HOSTS",
    "GATEWAY_API_KEYS_FILE",
    "GATEWAY_SERVING_ADDRESS",
    "GATEWAY_MODELS_CONFIG",
}


@pytest.fixture
def gateway(resolve):
    return resolve(GPU)["services"]["gateway"]


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A folder with the compose files only, to write settings into."""
    for file in root.glob("docker-compose*.yml"):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.fixture
def environment_of(compose: list[str], checkout: Path):
    """``environment_of("gateway")``: the environment of that container in ``checkout``."""

    def environment_of(service: str) -> dict[str, str]:
        command = [*compose, "--profile", "*", "config", "--format", "json"]
        result = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)["services"][service]["environment"]

    return environment_of


def test_gateway_waits_for_no_service_and_is_published_on_loopback(gateway) -> None:
    assert "depends_on" not in gateway
    environment = dict(gateway["environment"])
    assert set(environment) == FIXED <= set(variables())
    settings = load_settings(environment)
    assert settings == Settings(
        host="0.0.0.0",
        allow_anonymous=True,
        allowed_hosts=("localhost", "127.0.0.1", "gateway"),
        serving_address=("serving:8500",),
        models_config=Path("/models/models.gpu.config"),
    )


def test_every_other_setting_is_a_line_of_gateway_env(checkout: Path, environment_of) -> None:
    before = environment_of("gateway")
    lines = {"GATEWAY_SHADOW": "road:4=0.1", "GATEWAY_DEFAULT_MODEL": "road", "GATEWAY_MAX_IN_FLIGHT": "8"}
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    (checkout / "gateway.env").write_text(f"# on trial since Monday\n{text}")
    for name in GATEWAYS:
        assert environment_of(name).items() >= lines.items()
    assert environment_of("gateway") == {**before, **lines}
    assert load_settings(environment_of("gateway")).max_in_flight == 8


def test_gateway_env_cannot_override_the_stacks_own_settings(checkout: Path, environment_of) -> None:
    before = {name: environment_of(name) for name in GATEWAYS}
    (checkout / "gateway.env").write_text("".join(f"{name}=other\n" for name in before["gateway-tls"]))
    assert {name: environment_of(name).items() >= before[name].items() for name in GATEWAYS} == dict.fromkeys(
        GATEWAYS, True
    )


def test_a_file_of_api_keys_is_a_secret_of_the_gateways(resolve) -> None:
    resolved = resolve(GPU, CPU, GATEWAY_API_KEYS_FILE="/home/me/api-keys")
    assert resolved["secrets"]["gateway-api-keys"]["file"] == "/home/me/api-keys"
    for name in GATEWAYS:
        service = resolved["services"][name]
        assert "gateway-api-keys" in [secret["source"] for secret in service["secrets"]]
        assert service["environment"]["GATEWAY_API_KEYS_FILE"] == "/run/secrets/gateway-api-keys"


def test_https_gateway_is_the_same_image_with_keys_required(resolve) -> None:
    services = resolve(GPU)["services"]
    plain, tls = (services[name] for name in GATEWAYS)
    assert {key for key in plain.keys() | tls.keys() if plain.get(key) != tls.get(key)} == {
        "environment",
        "networks",
        "ports",
        "profiles",
        "secrets",
    }
    settings = {name: value for name, value in tls["environment"].items() if value != plain["environment"].get(name)}
    assert settings == {
        "GATEWAY_ALLOW_ANONYMOUS": "0",
        "GATEWAY_ALLOWED_HOSTS": "",
        "GATEWAY_API_KEYS_FILE": "/run/secrets/gateway-api-keys",
        "GATEWAY_TLS_CERTIFICATE": "/run/secrets/gateway-tls-certificate",
        "GATEWAY_TLS_KEY": "/run/secrets/gateway-tls-key",
    }


def test_https_address_and_port_can_be_set(resolve) -> None:
    def published(**environment: str) -> list[tuple[str, str]]:
        service = resolve(GPU, **environment)["services"]["gateway-tls"]
        return [(port["host_ip"], port["published"]) for port in service["ports"]]

    assert published() == [("127.0.0.1", "8443")]
    assert published(GATEWAY_TLS_ADDRESS="192.168.1.20", GATEWAY_TLS_PORT="443") == [("192.168.1.20", "443")]


def test_certificates_are_those_of_make_cert(resolve, root: Path) -> None:
    secrets = resolve(GPU)["secrets"]
    assert secrets["gateway-tls-certificate"]["file"] == str(root / "certs/gateway.pem")
    assert secrets["gateway-tls-key"]["file"] == str(root / "certs/gateway.key")


def test_https_answers_with_a_key_and_the_health_check_passes(tls_gateway, root: Path) -> None:
    trusted = ssl.create_default_context(cafile=tls_gateway.authority)
    with httpx.Client(base_url=tls_gateway.url, verify=trusted, trust_env=False) as http:
        assert http.get("/livez").status_code == 200
        assert http.get("/models").status_code == 401
        assert http.get("/metrics").status_code == 401
        key = tls_gateway.key_file.read_text().strip()
        assert http.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 200

    dockerfile = (root / "services/gateway/Dockerfile").read_text().replace("\\\n", " ")
    (check,) = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", dockerfile, re.MULTILINE)
    python, *arguments = json.loads(check)
    assert python == "python"

    def health(**environment: str) -> int:
        command = [sys.executable, *arguments]
        return subprocess.run(command, env={**tls_gateway.environment, **environment}, check=False).returncode

    assert health() == 0
    assert health(GATEWAY_TLS_CERTIFICATE="") == 1, "a plain request is no answer"


def test_https_without_a_file_of_keys_refuses_every_request(resolve) -> None:
    resolved = resolve(GPU)
    assert resolved["secrets"]["gateway-api-keys"]["file"] == "/dev/null"
    settings = load_settings(
        {
            **resolved["services"]["gateway-tls"]["environment"],
            "GATEWAY_API_KEYS_FILE": "/dev/null",
            "GATEWAY_TLS_CERTIFICATE": "",
            "GATEWAY_TLS_KEY": "",
        }
    )
    with TestClient(create_app(settings)) as http:
        assert http.get("/livez").status_code == 200
        assert http.get("/models").status_code == 401
        assert http.get("/models", headers={"X-API-Key": new_key()}).status_code == 403
