"""The gateway's settings and serving's flags agree with Compose's and with the programs."""

import json
import re

import pytest

from gateway.settings import load_settings, variables
from serving.flags import channel_arguments, parse

pytestmark = pytest.mark.containers

COMPOSE = {
    "overlays/volume": ["docker-compose.yml"],
    "overlays/cpu": ["docker-compose.yml", "docker-compose.embedded.yml"],
}

with_a_twin_in_compose = pytest.mark.parametrize("overlay", COMPOSE)


def test_gateway_accepts_its_settings_and_all_exist(stack):
    environment = stack.named("ConfigMap", "gateway")["data"]
    assert set(environment) <= set(variables())
    settings = load_settings(environment)
    assert settings.api_keys_file
    assert not settings.allow_anonymous


@with_a_twin_in_compose
def test_settings_equal_those_of_compose(overlay, build, resolve):
    environment = build(overlay).named("ConfigMap", "gateway")["data"]
    compose = resolve(*COMPOSE[overlay])["services"]["gateway"]["environment"]
    # Here every caller needs a key, under any name of the gateway: Prometheus calls pods by their addresses.
    ours = {"GATEWAY_ALLOW_ANONYMOUS", "GATEWAY_ALLOWED_HOSTS", "GATEWAY_API_KEYS_FILE"}
    shared = {name: value for name, value in compose.items() if name.startswith("GATEWAY_") and name not in ours}
    assert shared.items() <= environment.items()


@with_a_twin_in_compose
def test_ports_and_limits_are_those_of_compose(overlay, build, resolve):
    services = resolve(*COMPOSE[overlay])["services"]
    for name in ("gateway", "serving"):
        container = build(overlay).pod(name).spec["containers"][0]
        published = {port["target"] for port in services[name]["ports"]}
        assert published <= {port["containerPort"] for port in container["ports"]}
        memory = int(services[name]["deploy"]["resources"]["limits"]["memory"])
        assert container["resources"]["limits"]["memory"] == f"{memory // 2**30}Gi"


def test_gateway_reads_the_mounted_folder_and_secret(stack):
    gateway = stack.pod("gateway")
    mounted = {mount["mountPath"] for mount in gateway.containers[0]["volumeMounts"]}
    settings = load_settings(stack.named("ConfigMap", "gateway")["data"])
    assert str(settings.api_keys_file.parent) in mounted
    assert settings.models_config is None or str(settings.models_config.parent) in mounted
    assert "subPath" not in str(gateway.spec), "a file mounted by its path never changes"


def test_serving_and_gateway_read_the_same_list_of_models(build):
    for overlay in ("overlays/volume", "overlays/cpu", "overlays/s3"):
        gateway, serving = (build(overlay).named("ConfigMap", name)["data"] for name in ("gateway", "serving"))
        assert gateway["GATEWAY_MODELS_CONFIG"] == serving["MODEL_CONFIG_FILE"]


def test_gateway_has_kserves_model_name_and_port(build):
    manifests = build("overlays/kserve")
    ((model, service),) = manifests.of("InferenceService").items()
    settings = load_settings(manifests.named("ConfigMap", "gateway")["data"])
    port = service["spec"]["predictor"]["model"]["ports"][0]
    assert settings.models == (model,)
    assert settings.models_config is None
    assert settings.serving_address == (f"serving:{port['containerPort']}",)
    assert port["name"] == "h2c"
    assert service["spec"]["predictor"]["model"]["storageUri"] == f"pvc://models/{model}"


def test_every_setting_of_serving_is_read_by_its_entrypoint(build, root):
    entrypoint = (root / "services/serving/entrypoint.sh").read_text()
    for name in build("overlays/volume").named("ConfigMap", "serving")["data"]:
        assert f"${{{name}:-" in entrypoint, name


def test_the_metrics_port_is_the_entrypoints(build, root):
    (port,) = re.findall(r"--rest_api_port=(\d+)", (root / "services/serving/entrypoint.sh").read_text())
    assert build("overlays/volume").of("Service")["serving"]["spec"]["ports"][1] == {
        "name": "metrics",
        "port": int(port),
        "targetPort": "metrics",
    }


def test_embedded_server_gets_known_arguments(build, root):
    dockerfile = (root / "services/serving/Dockerfile.embedded").read_text().replace("\\\n", "")
    command = json.loads(re.search(r"^CMD (\[.+\])$", dockerfile, re.MULTILINE)[1])
    (container,) = build("overlays/cpu").pod("serving").spec["containers"]
    *arguments, ours = container["args"]
    assert arguments == command
    line = parse([*arguments, ours])
    assert not line.unknown
    assert channel_arguments(line.flags.grpc_channel_arguments) == {"grpc.max_connection_age_ms": 30_000}


def test_serving_stays_until_the_last_connection_to_it_has_ended(stack):
    """A connection ends at its maximum age plus a tenth; gRPC then resolves the name, at most every 30 s."""
    for pod in stack.pods():
        arguments = " ".join(pod.spec["containers"][0].get("args", []))
        if found := re.search(r"max_connection_age_ms=(\d+)", arguments):
            (_sleep, seconds) = pod.spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
            assert int(seconds) > 1.1 * int(found[1]) / 1000 + 30
            assert pod.spec["terminationGracePeriodSeconds"] > int(seconds)
            assert pod.spec["shareProcessNamespace"] is True


def test_gateway_has_time_to_stop(stack):
    settings = load_settings(stack.named("ConfigMap", "gateway")["data"])
    spec = stack.pod("gateway").spec
    assert spec["terminationGracePeriodSeconds"] > (settings.shutdown_delay_ms + settings.deadline_ms) / 1000 + 1
    assert "lifecycle" not in spec["containers"][0], "GATEWAY_SHUTDOWN_DELAY_MS is its preStop"


def test_the_example_in_a_bucket_is_a_list_of_models_that_names_its_versions(build, tmp_path):
    from contract.serving_config import models_config, version_policy

    path = tmp_path / "models.config"
    path.write_text(build("overlays/s3").of("ConfigMap")["models-config"]["data"]["models.config"])
    for model in models_config.models(path).values():
        assert isinstance(model.policy, version_policy.Specific)
    assert 'base_path: "s3://' in path.read_text()
