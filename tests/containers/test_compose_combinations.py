"""Properties of every service, for every combination of compose files and profiles."""

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.containers

GPU, CPU, EMBEDDED = "docker-compose.yml", "docker-compose.cpu.yml", "docker-compose.embedded.yml"
FILES = {"gpu": (GPU,), "cpu": (GPU, CPU), "embedded": (GPU, EMBEDDED), "cpu+embedded": (GPU, CPU, EMBEDDED)}
SERVICES = {
    "": {"serving", "gateway"},
    "tools": {"trainer", "converter"},
    "monitoring": {"prometheus", "grafana"},
    "tls": {"gateway-tls"},
}
PROFILES = [chosen for count in range(len(SERVICES)) for chosen in itertools.combinations(list(SERVICES)[1:], count)]
COMBINATIONS = {"+".join((name, *chosen)): (files, chosen) for name, files in FILES.items() for chosen in PROFILES}
TOOLS = SERVICES["tools"]


@pytest.fixture(params=COMBINATIONS)
def combination(request: pytest.FixtureRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return COMBINATIONS[request.param]


@pytest.fixture
def resolved(resolve, combination) -> dict[str, Any]:
    files, profiles = combination
    return resolve(*files, profiles=profiles)


@pytest.fixture
def services(resolved) -> dict[str, dict[str, Any]]:
    return resolved["services"]


def test_every_compose_file_is_combined(root: Path) -> None:
    assert {file for files in FILES.values() for file in files} == {path.name for path in root.glob("docker-compose*")}
    assert len(COMBINATIONS) == 4 * 2**3


def test_each_profile_adds_its_services(services, combination) -> None:
    _files, profiles = combination
    assert set(services) == SERVICES[""].union(*(SERVICES[profile] for profile in profiles))


def test_they_fit_the_compose_specification(resolve, check_jsonschema: Path, tmp_path: Path) -> None:
    for name, (files, profiles) in COMBINATIONS.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(resolve(*files, profiles=profiles)))
    command = [check_jsonschema, "--builtin-schema", "vendor.compose-spec", *sorted(tmp_path.iterdir())]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_port_is_published_on_loopback_only(services) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    ports = [port["published"] for port in published]
    assert len(set(ports)) == len(ports)


def test_containers_have_few_privileges(services) -> None:
    for name, service in services.items():
        assert service["user"] == "1000:1000", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert not service.keys() & {"privileged", "cap_add", "devices", "pid", "ipc", "userns_mode"}, name


def test_every_service_has_limits(services) -> None:
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert 2**29 <= int(limits["memory"]) <= 2**34, name
        assert 512 <= limits["pids"] <= 4096, name
        # What computes may have every processor: a quota below the size of its thread pools stalls all of its threads.
        # A default beyond two would be refused by a machine that has two.
        computes = name == "serving" or name in TOOLS
        assert float(limits.get("cpus", 0)) in ((0,) if computes else (1, 2)), name
        assert ("cpu_shares" in service) is (name in TOOLS), name


def test_logs_are_rotated(services) -> None:
    for name, service in services.items():
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}, name


def test_servers_have_health_checks_and_restarts_and_tools_have_none(services, root: Path) -> None:
    for name, service in services.items():
        by_image = "build" in service and "\nHEALTHCHECK " in (root / service["build"]["dockerfile"]).read_text()
        assert (by_image or "healthcheck" in service) is (name not in TOOLS), name
        assert service["restart"] == ("no" if name in TOOLS else "unless-stopped"), name


def test_services_share_only_the_internal_network(resolved) -> None:
    networks, services = resolved["networks"], resolved["services"]
    assert [name for name, network in networks.items() if network.get("internal")] == ["inside"]
    members: dict[str, set[str]] = {}
    for name, service in services.items():
        for network in service.get("networks") or {}:
            members.setdefault(network, set()).add(name)
    assert members.pop("inside") == set(services) - TOOLS
    # Through another network only can a port be published (an internal one publishes none).
    for name, service in services.items():
        if service.get("ports"):
            assert any(name in there for there in members.values()), name
    # Serving's metrics and Prometheus's own pages have no password.
    assert members["serving-port"] == {"serving"}
    assert all(there <= {"prometheus", "grafana"} or len(there) == 1 for there in members.values())


def test_only_tools_can_write_models(services, root: Path) -> None:
    writable = {
        name: not volume.get("read_only", False)
        for name, service in services.items()
        for volume in service["volumes"]
        if volume.get("source") == str(root / "models_repo")
    }
    assert {name for name, may_write in writable.items() if may_write} == TOOLS & set(services)
    assert {"serving", "gateway"} <= set(writable)


def test_no_mount_creates_a_missing_folder_as_root(services) -> None:
    binds = [volume for service in services.values() for volume in service["volumes"] if volume["type"] == "bind"]
    assert [volume["source"] for volume in binds if volume["bind"].get("create_host_path", False)] == []


def test_secrets_are_files_and_no_setting_holds_one(resolved) -> None:
    for name, secret in resolved.get("secrets", {}).items():
        assert set(secret) == {"name", "file"}, name
    for service in resolved["services"].values():
        for name, value in (service.get("environment") or {}).items():
            if any(word in name for word in ("KEY", "PASSWORD", "CERTIFICATE", "TOKEN")) and value:
                assert value.startswith("/run/secrets/"), name


def test_images_are_pinned(services) -> None:
    for name, service in services.items():
        if "build" not in service:
            assert ":" in service["image"], name
            assert not service["image"].endswith(":latest"), name


def test_no_gpu_is_requested_without_one(services, combination) -> None:
    files, _profiles = combination
    asking = {name for name, service in services.items() if "reservations" in service["deploy"]["resources"]}
    assert asking == ({"serving", "trainer", "converter"} & set(services) if files == (GPU,) else set())


def test_every_build_argument_is_its_dockerfiles(services, root: Path) -> None:
    for name, service in services.items():
        if build := service.get("build"):
            assert build["context"] == str(root), name
            lines = (root / build["dockerfile"]).read_text().splitlines()
            declared = {line.split()[1].partition("=")[0] for line in lines if line.startswith("ARG ")}
            assert set(build["args"]) <= declared, name
            assert "SEGSTACK_VERSION" in build["args"], name
