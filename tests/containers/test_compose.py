"""What Compose makes of docker-compose.yml, alone and with docker-compose.cpu.yml."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.containers

GPU = ("docker-compose.yml",)
CPU = ("docker-compose.yml", "docker-compose.cpu.yml")
SERVICES = {"serving", "gateway", "trainer", "converter"}

with_and_without_gpu = pytest.mark.parametrize("files", [GPU, CPU], ids=["gpu", "cpu"])


@pytest.fixture
def services(resolve, files):
    return resolve(*files)["services"]


@with_and_without_gpu
def test_the_services(services) -> None:
    assert set(services) == SERVICES
    started_by_up = {name for name, service in services.items() if not service.get("profiles")}
    assert started_by_up == {"serving", "gateway"}


@with_and_without_gpu
def test_ports_are_published_on_loopback_only(services) -> None:
    published = {
        name: [(port["host_ip"], port["published"], port["target"]) for port in service.get("ports", [])]
        for name, service in services.items()
    }
    assert published == {
        "serving": [("127.0.0.1", "8500", 8500)],
        "gateway": [("127.0.0.1", "8000", 8000)],
        "trainer": [],
        "converter": [],
    }


def test_whoever_computes_gets_the_gpu(resolve) -> None:
    services = resolve(*GPU)["services"]
    device = {"driver": "nvidia", "device_ids": ["all"], "capabilities": ["gpu"]}
    for name in ("serving", "trainer", "converter"):
        assert services[name]["deploy"]["resources"]["reservations"]["devices"] == [device]
    assert "deploy" not in services["gateway"]


def test_the_gpu_is_chosen_by_nvidias_own_variable(resolve) -> None:
    service = resolve(*GPU, NVIDIA_VISIBLE_DEVICES="1")["services"]["serving"]
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == ["1"]


def test_without_a_gpu_nothing_asks_for_one(resolve) -> None:
    services = resolve(*CPU)["services"]
    assert [name for name, service in services.items() if service.get("deploy")] == []
    assert services["serving"]["build"]["args"]["SERVING_IMAGE"] == "tensorflow/serving:2.6.2"
    assert services["trainer"]["build"]["args"]["REQUIREMENTS"] == "requirements.lock"


def test_images_with_and_without_gpu_have_different_names(resolve) -> None:
    with_gpu, without = resolve(*GPU)["services"], resolve(*CPU)["services"]
    assert {name for name in SERVICES if with_gpu[name]["image"] != without[name]["image"]} == {"serving", "trainer"}
    assert {name for name in SERVICES if with_gpu[name]["build"] != without[name]["build"]} == {"serving", "trainer"}


@with_and_without_gpu
def test_containers_can_do_little(services) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert service["user"] == "1000:1000", name
        assert "privileged" not in service, name


@with_and_without_gpu
def test_what_serves_is_watched_and_restarted_and_what_is_run_once_is_not(services, root: Path) -> None:
    for name, service in services.items():
        serves = name in ("serving", "gateway")
        by_image = "\nHEALTHCHECK " in (root / service["build"]["dockerfile"]).read_text()
        assert (by_image or "healthcheck" in service) is serves, name
        assert service["restart"] == ("unless-stopped" if serves else "no"), name


@with_and_without_gpu
def test_serving_is_healthy_while_it_waits_for_a_first_model(services) -> None:
    command, shell, flag, check = services["serving"]["healthcheck"]["test"]
    assert (command, shell, flag) == ("CMD", "bash", "-c")
    check = check.replace("/models/", "/nowhere/")
    assert subprocess.run(["bash", "-c", check], check=False).returncode == 0
    check = check.replace("/nowhere/models.config", "/dev/null").replace("/8500", "/1")
    assert subprocess.run(["bash", "-c", check], capture_output=True, check=False).returncode == 1


@with_and_without_gpu
def test_only_the_tools_can_write_models(services, root: Path) -> None:
    writable = {
        name: not volume.get("read_only", False)
        for name, service in services.items()
        for volume in service["volumes"]
        if volume["source"] == str(root / "models_repo")
    }
    assert writable == {"serving": False, "gateway": False, "trainer": True, "converter": True}


@with_and_without_gpu
def test_no_mount_makes_a_folder_of_roots_where_one_is_missing(services) -> None:
    for service in services.values():
        assert [v["source"] for v in service["volumes"] if v["bind"].get("create_host_path", False)] == []


def test_converted_models_are_given_to_the_machine_with_the_gpu_alone(resolve) -> None:
    for files, config in ((GPU, "/models/models.gpu.config"), (CPU, "/models/models.config")):
        services = resolve(*files)["services"]
        assert services["serving"]["environment"]["MODEL_CONFIG_FILE"] == config
        assert services["gateway"]["environment"]["GATEWAY_MODELS_CONFIG"] == config


@with_and_without_gpu
def test_the_gateway_waits_for_nobody_and_knows_its_settings(services) -> None:
    from gateway.settings import Settings

    gateway = services["gateway"]
    assert "depends_on" not in gateway
    environment = {name: value for name, value in gateway["environment"].items() if value is not None}
    assert environment.pop("GATEWAY_MODELS_CONFIG").startswith("/models/")
    assert environment == {
        "GATEWAY_HOST": "0.0.0.0",
        "GATEWAY_ALLOW_ANONYMOUS": "1",
        "GATEWAY_ALLOWED_HOSTS": "localhost,127.0.0.1,gateway",
        "GATEWAY_API_KEYS_FILE": "",
        "GATEWAY_SERVING_ADDRESS": "serving:8500",
    }
    assert {name.removeprefix("GATEWAY_").lower() for name in gateway["environment"]} <= set(Settings.model_fields)


def test_a_file_of_api_keys_is_a_secret_of_the_gateways(resolve) -> None:
    resolved = resolve(*CPU, GATEWAY_API_KEYS_FILE="/home/me/api-keys")
    assert resolved["secrets"]["gateway-api-keys"]["file"] == "/home/me/api-keys"
    gateway = resolved["services"]["gateway"]
    assert [secret["source"] for secret in gateway["secrets"]] == ["gateway-api-keys"]
    assert gateway["environment"]["GATEWAY_API_KEYS_FILE"] == "/run/secrets/gateway-api-keys"


@with_and_without_gpu
def test_every_image_is_built_here_with_arguments_that_its_dockerfile_has(services, root: Path) -> None:
    for name, service in services.items():
        build = service["build"]
        assert build["context"] == str(root)
        assert build["dockerfile"] == f"services/{name}/Dockerfile"
        declared = re.findall(r"^ARG (\w+)", (root / build["dockerfile"]).read_text(), re.MULTILINE)
        assert set(build["args"]) <= set(declared), f"{name}: {build['args']} in Compose, {declared} in the Dockerfile"


def test_env_example_has_every_variable_with_its_default(resolve, root: Path) -> None:
    read: dict[str, str] = {}
    for file in CPU:
        for variable, default in re.findall(r"\$\{(\w+)(?::-([^}]*))?\}", (root / file).read_text()):
            assert read.setdefault(variable, default) == default, f"{variable} has two defaults"
    for service in resolve(*CPU)["services"].values():
        read.update({name: "" for name, value in (service.get("environment") or {}).items() if value is None})
    assert dict(re.findall(r"^# ([A-Z_]+)=(.*)$", (root / ".env.example").read_text(), re.MULTILINE)) == read


def test_env_example_changes_nothing_as_it_is(root: Path) -> None:
    lines = (root / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("# ")] == []
