"""Each service's settings: images, the GPU, models, and the variables of .env."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.containers

GPU = ("docker-compose.yml",)
CPU = ("docker-compose.yml", "docker-compose.cpu.yml")
EMBEDDED = ("docker-compose.yml", "docker-compose.embedded.yml")
COMPUTING = ("serving", "trainer", "converter")

everywhere = pytest.mark.parametrize("files", [GPU, CPU, EMBEDDED], ids=["gpu", "cpu", "embedded"])


@pytest.fixture
def services(resolve, files):
    return resolve(*files)["services"]


@everywhere
def test_ports(services) -> None:
    published = {
        name: [(port["published"], port["target"]) for port in service["ports"]]
        for name, service in services.items()
        if "ports" in service
    }
    assert published == {
        "serving": [("8500", 8500)],
        "gateway": [("8000", 8000)],
        "gateway-tls": [("8443", 8000)],
        "prometheus": [("9090", 9090)],
        "grafana": [("3000", 3000)],
    }


def test_services_that_compute_get_the_gpu(resolve) -> None:
    services = resolve(*GPU)["services"]
    device = {"driver": "nvidia", "device_ids": ["all"], "capabilities": ["gpu"]}
    for name in COMPUTING:
        assert services[name]["deploy"]["resources"]["reservations"]["devices"] == [device]


def test_the_gpu_is_chosen_by_nvidias_own_variable(resolve) -> None:
    service = resolve(*GPU, NVIDIA_VISIBLE_DEVICES="1")["services"]["serving"]
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] == ["1"]


@everywhere
def test_limits_are_set_by_variables(resolve, files) -> None:
    for name in resolve(*files)["services"]:
        prefix = name.removesuffix("-tls").upper()
        limited = resolve(*files, **{f"{prefix}_MEMORY": "3g", f"{prefix}_CPUS": "1.5"})["services"][name]
        limits = limited["deploy"]["resources"]["limits"]
        assert (int(limits["memory"]), float(limits["cpus"])) == (3 * 2**30, 1.5), name


def test_the_trainer_has_shared_memory_for_the_gradients_of_several_gpus(resolve) -> None:
    assert int(resolve(*GPU)["services"]["trainer"]["shm_size"]) == 2**30


def test_images_that_differ_have_different_names(resolve) -> None:
    def images(files: tuple[str, ...], key: str) -> dict[str, object]:
        return {name: service.get(key) for name, service in resolve(*files)["services"].items()}

    for files in (CPU, EMBEDDED):
        for key in ("image", "build"):
            with_gpu, without = images(GPU, key), images(files, key)
            assert {name for name in with_gpu if with_gpu[name] != without[name]} == {"serving", "trainer"}, key
    assert images(CPU, "build")["serving"]["args"]["SERVING_IMAGE"] == "tensorflow/serving:2.6.2"
    assert images(CPU, "image")["serving"] != images(EMBEDDED, "image")["serving"]
    assert images(CPU, "build")["trainer"] == images(EMBEDDED, "build")["trainer"]
    assert images(CPU, "build")["trainer"]["args"]["REQUIREMENTS"] == "requirements.lock"


def test_embedded_serving_is_our_own_image_as_it_is(resolve) -> None:
    serving = resolve(*EMBEDDED, PYTHON_IMAGE="mirror/python:3.12-slim")["services"]["serving"]
    assert serving["build"]["dockerfile"] == "services/serving/Dockerfile.embedded"
    assert serving["build"]["args"]["PYTHON_IMAGE"] == "mirror/python:3.12-slim"
    assert not serving.get("environment")
    assert not serving.get("command")


@everywhere
def test_serving_is_healthy_while_it_waits_for_a_first_model(services) -> None:
    command, shell, flag, check = services["serving"]["healthcheck"]["test"]
    assert (command, shell, flag) == ("CMD", "bash", "-c")
    check = check.replace("/models/", "/nowhere/")
    assert subprocess.run(["bash", "-c", check], check=False).returncode == 0
    check = check.replace("/nowhere/models.config", "/dev/null").replace("/8500", "/1")
    assert subprocess.run(["bash", "-c", check], capture_output=True, check=False).returncode == 1


@everywhere
def test_converted_models_are_listed_only_where_the_gpu_is(services, files) -> None:
    config = "/models/models.gpu.config" if files == GPU else "/models/models.config"
    for gateway in ("gateway", "gateway-tls"):
        assert services[gateway]["environment"]["GATEWAY_MODELS_CONFIG"] == config
    if files != EMBEDDED:  # whose image has it in its command line
        assert services["serving"]["environment"]["MODEL_CONFIG_FILE"] == config


def test_the_converter_needs_no_network(resolve) -> None:
    assert resolve(*GPU)["services"]["converter"]["network_mode"] == "none"


def test_env_example_has_every_variable_with_its_default(root: Path) -> None:
    read: dict[str, str] = {}
    for file in root.glob("docker-compose*.yml"):
        for variable, default in re.findall(r"\$\{(\w+):-([^}]*)\}", file.read_text()):
            assert read.setdefault(variable, default) == default, f"{variable} has two defaults"
        assert not re.findall(r"\$\{\w+\}|\$\w", file.read_text()), f"{file.name}: a variable without a default"
    explained = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", (root / ".env.example").read_text(), re.MULTILINE))
    assert {name: value for name, value in explained.items() if not name.startswith("COMPOSE_")} == read


def test_env_example_changes_nothing_as_it_is(root: Path) -> None:
    lines = (root / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []


def test_env_example_names_existing_files_and_profiles(root: Path) -> None:
    example = (root / ".env.example").read_text()
    (files,) = re.findall(r"^# COMPOSE_FILE=(.*)$", example, re.MULTILINE)
    assert [file for file in files.split(":") if not (root / file).is_file()] == []
    (profiles,) = re.findall(r"^# COMPOSE_PROFILES=(.*)$", example, re.MULTILINE)
    compose = (root / "docker-compose.yml").read_text()
    assert [name for name in profiles.split(",") if f"profiles: [{name}]" not in compose] == []
